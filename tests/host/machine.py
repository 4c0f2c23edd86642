# SPDX-License-Identifier: BSD-3-Clause
"""
Emulated hosts that run Debian with systemd, on disks from make-image. Each has an IOMMU, KVM, and a card with
VFs; the cards' wires lead to a bridge "wire" in our network namespace, the management cards to "manage".

They boot once. Then their disks and states are saved beside the image, and each run continues from there: a boot
needs half a minute of processor time for each. Whatever a run writes to the disks is forgotten.
"""
import ctypes
import fcntl
import mmap
import re
import socket
import subprocess
import threading
import time

TIMEOUT_SECONDS = 1200  # a last resort: other work can make a boot slow
NOT_REACHED = 255  # ssh's exit status
MARK = '-- status of the command: '
CLIENT, CLIENT_MAC = '10.83.0.9', '52:54:00:83:ff:09'


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def time_stamp_khz():
    """The frequency of the time stamp counter. Linux measures it wrongly in an emulated machine on a busy host."""
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    # rdtsc; shl rdx, 32; or rax, rdx; ret
    code.write(bytes.fromhex('0f3148c1e2204809d0c3'))
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))

    def both():
        tries = []
        for _ in range(50):
            before = read()
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
            tries.append((read() - before, before, now))
        took, before, now = min(tries)
        return before + took // 2, now

    stamp, nsec = both()
    time.sleep(0.2)
    later_stamp, later_nsec = both()
    return (later_stamp - stamp) * 1000000 // (later_nsec - nsec)


def make_networks(hosts):
    run('ip', 'link', 'set', 'lo', 'up')
    for bridge, address, mac in [('wire', CLIENT, CLIENT_MAC), ('manage', '10.85.0.9', '52:54:00:85:ff:09')]:
        run('ip', 'link', 'add', bridge, 'address', mac, 'type', 'bridge', 'mcast_snooping', '0')
        run('ip', 'address', 'add', f'{address}/24', 'dev', bridge)
        run('ip', 'link', 'set', bridge, 'up')
        for number in hosts:
            tap = f'{bridge}-{number}'
            run('ip', 'tuntap', 'add', tap, 'mode', 'tap')
            run('ip', 'link', 'set', tap, 'master', bridge, 'up')


class Machine:
    """@image: from make-image."""

    def __init__(self, number, folder, image):
        self.number = number
        self.name = f'host-{"ab"[number - 1]}'
        self.folder = folder
        self.image = image
        self.emulator = self.shell = None
        self.pf = None  # the name of its card, which its user finds out
        self.console = folder / f'{self.name}.console'
        self.disk = image / f'{self.name}.img'
        self.state = image / f'{self.name}.state'

    def make_disk(self):
        run('cp', '--sparse=always', self.image / 'root.img', self.disk)

    def start(self, qemu, *more):
        with open(self.folder / f'{self.name}.log', 'w') as log:
            self.emulator = subprocess.Popen([qemu, *self.options(), *more], stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=subprocess.STDOUT)

    def options(self):
        number = self.number
        tap = 'tap,script=no,downscript=no'
        return [
            '-name', self.name, '-uuid', f'00000000-0000-4000-8000-00000000000{number}',
            '-machine', 'q35', '-accel', 'tcg,thread=multi,tb-size=1024', '-cpu', 'max,la57=off', '-smp', '2',
            '-m', '3G', '-display', 'none', '-nodefaults', '-no-user-config', '-no-reboot',
            '-kernel', f'{self.image}/vmlinuz', '-initrd', f'{self.image}/initrd',
            # A busy host makes everything slow, which is no failure.
            '-append', f'root=/dev/vda rw console=ttyS0 panic=-1 tsc=reliable tsc_early_khz={time_stamp_khz()} '
                       'no_timer_check mitigations=off watchdog_thresh=60 intel_iommu=on iommu=pt '
                       f'systemd.hostname={self.name} systemd.service_watchdogs=no '
                       'systemd.default_timeout_start_sec=600',
            '-device', 'intel-iommu,intremap=on,caching-mode=on',
            '-serial', f'file:{self.console}',
            '-monitor', f'unix:{self.folder}/{self.name}.monitor,server=on,wait=off',
            '-drive', f'file={self.disk},if=virtio,format=raw',
            '-drive', f'file={self.folder}/product.img,if=virtio,format=raw,readonly=on',
            '-device', 'virtio-rng-pci',
            '-netdev', f'{tap},id=management,ifname=manage-{number}',
            '-device', f'virtio-net-pci,netdev=management,mac=52:54:00:85:00:0{number},romfile=',
            '-device', 'pcie-root-port,id=rp0,chassis=1,slot=1',
            '-netdev', f'{tap},id=wire,ifname=wire-{number}',
            '-device', f'igb,netdev=wire,mac=52:54:00:84:00:0{number},bus=rp0,romfile=']

    def save(self):
        """Ends the machine."""
        self.run('sync')
        self.shell.kill()
        answer = b''
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(f'{self.folder}/{self.name}.monitor')
            monitor.sendall(f'migrate file:{self.state}\nquit\n'.encode())
            while part := monitor.recv(4096):
                answer += part
        self.emulator.wait()
        if b'Error' in answer:
            raise RuntimeError(f'{self.name}: its state cannot be saved: {answer.decode()}')

    def ssh(self, *command):
        return ['ssh', '-F/dev/null', '-i', f'{self.image}/key', '-oStrictHostKeyChecking=no',
                '-oUserKnownHostsFile=/dev/null', '-oBatchMode=yes', '-oLogLevel=ERROR', '-oConnectTimeout=10',
                f'root@10.85.0.{self.number}', *command]

    def why_down(self, deadline):
        if self.emulator.poll() is not None:
            return 'its emulator has ended'
        if 'Kernel panic' in self.console.read_text(errors='replace'):
            return 'its kernel died'
        return 'time limit' if time.monotonic() > deadline else None

    def answer(self, command, is_good):
        """Runs @command until its output is good. Only a machine that is not reached yet is asked again."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            done = subprocess.run(self.ssh(command), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  check=False)
            if is_good(done):
                return self.log_in()
            why = self.why_down(deadline) or (done.stdout if done.returncode != NOT_REACHED else None)
            if why:
                raise RuntimeError(f'{self.name} is not ready: {why}: see {self.console}')
            time.sleep(0.5)

    def wait_until_booted(self):
        """Booted is what systemd calls so: the boot's jobs are done. A unit that failed is a failure."""
        self.answer('systemctl is-system-running --wait; systemctl --failed --plain',
                    lambda done: done.stdout.startswith('running'))

    def wait_until_continued(self):
        """Its disk with the product is another one than when it was saved."""
        self.answer(f'date -s @{time.time():.0f} && blockdev --flushbufs /dev/vdb && mount -o ro /dev/vdb /mnt && '
                    'cp -a /mnt/understudy /root/', lambda done: done.returncode == 0)

    def log_in(self):
        self.shell = subprocess.Popen(self.ssh('bash -l -s'), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, errors='replace')

    def run(self, command):
        """Runs @command in the machine's one login shell. Returns its exit status and its output."""
        self.shell.stdin.write(f"eval \"$(cat <<'END-OF-COMMAND'\n{command}\nEND-OF-COMMAND\n)\" </dev/null 2>&1\n"
                               f"printf '\\n{MARK}%d\\n' $?\n")
        self.shell.stdin.flush()
        limit = threading.Timer(TIMEOUT_SECONDS, self.shell.kill)
        limit.start()
        output, line = [], ''
        for line in self.shell.stdout:
            if line.startswith(MARK):
                break
            output.append(line)
        limit.cancel()
        if line.startswith(MARK):
            return int(line[len(MARK):]), ''.join(output)[:-1]
        raise RuntimeError(f'{self.name}: no answer to {command}:\n{"".join(output)}')

    def wait_for(self, command, seconds=300):
        """Runs @command every second until it succeeds. Returns whether it did."""
        return self.run(f'for i in $(seq {seconds}); do {command} && break; sleep 1; done; {command}')[0] == 0


def description_of(hosts, qemu):
    """Without what differs from run to run."""
    text = '\n'.join([qemu, *(option for host in hosts for option in host.options())])
    return re.sub(r'tsc_early_khz=\d+', '', text).replace(str(hosts[0].folder), '')


def can_continue(hosts, qemu, saved):
    """A saved machine needs the same devices, and has learnt how fast the processor's counter is."""
    if not saved.exists():
        return False
    khz, description = saved.read_text().split('\n', 1)
    return abs(int(khz) - time_stamp_khz()) < int(khz) / 1000 and description == description_of(hosts, qemu)


def boot_and_save(hosts, qemu, saved):
    saved.unlink(missing_ok=True)
    for host in hosts:
        host.make_disk()
        host.start(qemu)
    for host in hosts:
        host.wait_until_booted()
    for host in hosts:
        host.save()
    saved.write_text(f'{time_stamp_khz()}\n{description_of(hosts, qemu)}')


def make_hosts(folder, image, qemu):
    """Both, ready to be used."""
    saved = image / 'saved'
    hosts = [Machine(number, folder, image) for number in [1, 2]]
    with open(image / 'vmlinuz', 'rb') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not can_continue(hosts, qemu, saved):
            boot_and_save(hosts, qemu, saved)
    for host in hosts:
        host.start(qemu, '-snapshot', '-incoming', f'file:{host.state}')
    for host in hosts:
        host.wait_until_continued()
    return hosts
