# SPDX-License-Identifier: BSD-3-Clause
"""
Two hosts A and B with libvirt, for the tests in this directory: a libvirtd, a bridge and an
understudyd each, in namespaces inside those of blackbox/harness.py. Everything ends with the test.

The domain "web" has the standby ua-net0 and an emulated primary. Its guest listens (lab/traffic/beacon.c), so a test
waits for facts: the pair's state, and that the guest can be reached from its host.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys

import harness
from harness import Daemon, RUN, check, ip, until

SOURCE = pathlib.Path(__file__).resolve().parents[3]
GUEST, PORT, MAC = '10.7.0.100', 7000, '52:54:00:6f:55:cc'
LONG_SEC = 240  # a guest that boots, on a busy machine; only a failure waits so long
CLONE_NEWNET = 0x40000000

# Runs the daemons of a host. Adopts and reaps their children, so that a QEMU that ends is gone.
KEEPER = '''
import ctypes, json, os, signal, sys
ctypes.CDLL(None).prctl(36, 1)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        words = json.loads(line)
        os.execvp(words[0], words)
    print(pid, flush=True)
'''

DOMAIN = '''
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <metadata>{metadata}</metadata>
  <memory unit='MiB'>192</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{run}/vmlinuz</kernel>
    <initrd>{run}/initrd.gz</initrd>
    <cmdline>console=ttyS0 quiet us.nic={mac},{guest}/24,10.7.0.254,02:00:00:00:00:fe,{port}</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <cpu mode='maximum'/>
  <on_crash>restart</on_crash>
  <devices>
    <emulator>{emulator}</emulator>
    <interface type='bridge'>
      <source bridge='br0'/>
      <mac address='{mac}'/>
      <model type='virtio'/>
      <driver name='qemu'/>
      <teaming type='persistent'/>
      <alias name='ua-net0'/>
    </interface>
    <controller type='pci' index='0' model='pcie-root'/>
    <controller type='pci' index='1' model='pcie-root-port'/>
    <controller type='pci' index='2' model='pcie-root-port'/>
    <controller type='pci' index='3' model='pcie-root-port'/>
    <controller type='pci' index='4' model='pcie-root-port'/>
    <serial type='file'><source path='{run}/{name}.console'/></serial>
    <memballoon model='none'/>
    {devices}
  </devices>
</domain>
'''

DECLARATION = '''<understudy:pairs xmlns:understudy="urn:understudy:pairs:1">
<understudy:pair standby="ua-net0" primary="emulated:e1000e,port=web-p"/></understudy:pairs>'''


@contextlib.contextmanager
def in_namespace(name):
    """What this thread opens meanwhile belongs to that network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open('/proc/thread-self/ns/net') as own, open(f'/run/netns/{name}') as other:
        check(libc.setns(other.fileno(), CLONE_NEWNET) == 0, 'setns', ctypes.get_errno())
        try:
            yield
        finally:
            check(libc.setns(own.fileno(), CLONE_NEWNET) == 0, 'setns', ctypes.get_errno())


class Host:
    """A libvirtd and an understudyd of their own, in a network namespace of their own."""

    def __init__(self, name, number):
        self.name, self.address = name, f'10.7.0.{number}'
        self.space = f'us-lv-{name}'
        self.dir = RUN / f'host-{name}'
        self.uri = f'qemu+unix:///system?socket={self.dir}/run/libvirt-sock'
        ip('netns', 'add', self.space)
        self.make_files()
        self.keeper = self.libvirtd = self.virtlogd = self.daemon = None

    def ip(self, *words):
        ip('-n', self.space, *words)

    def make_network(self, link):
        self.ip('link', 'set', 'lo', 'up')
        self.ip('link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0')
        self.ip('link', 'set', link, 'master', 'br0', 'up')
        self.ip('addr', 'add', f'{self.address}/24', 'dev', 'br0')
        self.ip('link', 'set', 'br0', 'up')
        self.ip('tuntap', 'add', 'web-p', 'mode', 'tap')  # the primary's back end
        self.ip('link', 'set', 'web-p', 'master', 'br0', 'up')

    def make_files(self):
        for part in ('run', 'lib/images', 'lib/qemu', 'etc', 'cache', 'logs'):
            (self.dir / part).mkdir(parents=True)
        shutil.copytree('/etc/libvirt', self.dir / 'etc', dirs_exist_ok=True)
        for path in (self.dir / 'etc').glob('qemu/networks/autostart/*'):
            path.unlink()
        uuid = pathlib.Path('/proc/sys/kernel/random/uuid').read_text().strip()
        with open(self.dir / 'etc/libvirtd.conf', 'a') as conf:
            conf.write(f'\nhost_uuid = "{uuid}"\nauth_unix_rw = "none"\n'
                       'log_level = 3\nlog_outputs = "3:file:/var/log/libvirt/libvirtd.log"\n')
        with open(self.dir / 'etc/qemu.conf', 'a') as conf:
            conf.write('\nuser = "root"\ngroup = "root"\nsecurity_driver = "none"\n'
                       'dump_image_format = "gzip"\n')  # a process that a test can stop

    def start(self):
        bind = ' && '.join(f'mount --bind {self.dir}/{a} {b}' for a, b in (
            ('etc', '/etc/libvirt'), ('lib', '/var/lib/libvirt'), ('cache', '/var/cache/libvirt'),
            ('logs', '/var/log/libvirt'), ('run', '/run/libvirt')))
        script = (f'mkdir -p /run/libvirt && {bind} && hostname host-{self.name} && '
                  'exec "$0" -c "$1"')
        self.keeper = subprocess.Popen(
            ['ip', 'netns', 'exec', self.space, 'unshare', '-m', '-u', 'sh', '-c', script,
             sys.executable, KEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=open(self.dir / 'logs/keeper', 'w'))
        self.start_virtlogd()
        self.start_libvirtd()

    def keep(self, *words):
        self.keeper.stdin.write(json.dumps(words) + '\n')
        self.keeper.stdin.flush()
        return int(self.keeper.stdout.readline())

    def start_virtlogd(self):
        (self.dir / 'run/virtlogd.pid').unlink(missing_ok=True)
        self.virtlogd = self.keep('virtlogd', '-p', '/run/libvirt/virtlogd.pid')

    def start_libvirtd(self):
        self.libvirtd = self.keep('libvirtd', '-p', '/run/libvirt/libvirtd.pid')

    def libvirt_log(self):
        return (self.dir / 'logs/libvirtd.log').read_text()

    def await_libvirtd(self):
        until(lambda: self.virsh('version').returncode == 0, f'libvirtd of {self.name}')

    def kill(self, pid):
        os.kill(pid, signal.SIGKILL)
        until(lambda: not pathlib.Path(f'/proc/{pid}').exists(), f'the end of {pid}')

    def start_daemon(self, helper):
        self.daemon = Daemon(self.name, [
            '--migration-address', self.address, '--libvirt', self.uri, '--libvirt-helper',
            helper], prefix=['ip', 'netns', 'exec', self.space])

    def virsh(self, *words):
        return subprocess.run(['virsh', '-q', '-c', self.uri, *map(str, words)], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def do(self, *words):
        result = self.virsh(*words)
        check(result.returncode == 0, 'virsh', words, 'failed:', result.stderr)
        return result.stdout.strip()

    def monitor(self, **command):
        return json.loads(self.do('qemu-monitor-command', 'web', json.dumps(command)))['return']

    def define(self, name='web', mac=MAC, metadata=DECLARATION, devices=''):
        path = self.dir / f'{name}.xml'
        uuid = '00000000-0000-4000-8000-' + mac.replace(':', '')  # always the same
        path.write_text(DOMAIN.format(name=name, uuid=uuid, mac=mac, guest=GUEST, port=PORT, run=RUN,
                                      metadata=metadata, emulator=EMULATOR, devices=devices))
        self.do('define', path)

    def qemu(self, name='web'):
        return int((self.dir / f'run/qemu/{name}.pid').read_text())

    # ---- What can be seen ----

    def domain_state(self):
        return self.virsh('domstate', 'web').stdout.strip()

    def reaches_guest(self):
        with in_namespace(self.space):
            client = socket.socket()
        with client:
            client.settimeout(1)
            return client.connect_ex((GUEST, PORT)) == 0

    def await_network(self):
        until(self.reaches_guest, f'the guest to answer at {self.name}', LONG_SEC)

    def pair(self):
        """The pair of web, or {}."""
        pairs = self.daemon.pairs()
        return next((p for p in pairs.values() if p['vm'] == 'web'), {})

    def await_pair(self, limit_sec=LONG_SEC, **wanted):
        until(lambda: {k: self.pair().get(k) for k in wanted} == wanted,
              f'the pair at {self.name}: {wanted}', limit_sec)

    def await_visible(self):
        self.await_pair(primary='visible', path='primary')
        self.await_network()

    def helper(self):
        """The process id of understudy-libvirt."""
        pid = self.daemon.process.pid
        children = pathlib.Path(f'/proc/{pid}/task/{pid}/children')
        return int(until(lambda: children.read_text().split(), 'a helper')[0])

    def counts(self):
        """Threads and descriptors of the helper, descriptors of the daemon."""
        helper = self.helper()
        return (len(os.listdir(f'/proc/{helper}/task')), len(os.listdir(f'/proc/{helper}/fd')),
                len(os.listdir(f'/proc/{self.daemon.process.pid}/fd')))


EMULATOR = None


def find_emulator():
    """Before 9.0, QEMU's emulation migrates wrongly at times."""
    version = subprocess.run(['qemu-system-x86_64', '--version'], capture_output=True, text=True,
                             check=True).stdout.split()[3]
    if int(version.split('.')[0]) >= 9:
        return shutil.which('qemu-system-x86_64')
    return subprocess.run([SOURCE / 'lab/guest/make-qemu', 'trixie'], stdout=subprocess.PIPE,
                          text=True, check=True).stdout.strip()


def make(beacon, helper):
    """Both hosts, with their daemons running."""
    global EMULATOR
    if not shutil.which('libvirtd') or not shutil.which('virsh'):
        print('libvirtd and virsh are not installed')
        sys.exit(77)
    EMULATOR = find_emulator()
    image = subprocess.run([SOURCE / 'lab/guest/make-image', beacon, RUN / 'initrd.gz'],
                           stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    shutil.copy(f'{image}/vmlinuz', RUN / 'vmlinuz')
    hosts = [Host('A', 1), Host('B', 2)]
    ip('link', 'add', 'wire', 'netns', hosts[0].space, 'type', 'veth', 'peer', 'name', 'wire', 'netns',
       hosts[1].space)
    for host in hosts:
        host.make_network('wire')
        host.start()
    for host in hosts:
        host.await_libvirtd()
        host.start_daemon(helper)
    return hosts
