# SPDX-License-Identifier: BSD-3-Clause
"""
Shared by the tests with libvirt: a libvirtd of the test's own, and domains without a guest.

It is to be used after harness.enter_namespaces(): /run is empty, and everything ends with the test.
The folders of libvirt that a libvirtd writes to are covered with empty ones.
"""
import os
import pathlib
import shutil
import subprocess
import sys

from harness import LIMIT_SEC, check, spawn, until

URI = 'qemu:///system'
DIR = pathlib.Path('/run/libvirt-test')
NAMESPACE = 'urn:understudy:pairs:1'
PROGRAMS = ('libvirtd', 'virtlogd', 'virsh', 'qemu-system-x86_64')


def skip_unless_installed(helper):
    """Exits with the status of a skipped test, and the reason."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=os.environ['PATH'] + ':/usr/sbin')]
    if not pathlib.Path(helper).exists():
        missing.append('understudy-libvirt (built if libvirt-dev is installed)')
    if missing:
        print('not installed:', ', '.join(missing))
        sys.exit(77)


def cover(folder, copy=False):
    ours = DIR / folder.strip('/').replace('/', '-')
    ours.mkdir(parents=True)
    if copy:
        shutil.copytree(folder, ours, dirs_exist_ok=True)
    subprocess.run(['mount', '--bind', ours, folder], check=True)


def prepare():
    """Once per test program."""
    DIR.mkdir()
    cover('/etc/libvirt', copy=True)
    shutil.rmtree('/etc/libvirt/qemu', ignore_errors=True)
    for folder in '/var/lib/libvirt', '/var/cache/libvirt', '/var/log/libvirt':
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        cover(folder)
    with open('/etc/libvirt/libvirtd.conf', 'a') as conf:
        conf.write('\nauth_unix_rw = "none"\n')
    # Without the host's cgroups and security modules, of which these namespaces have nothing.
    with open('/etc/libvirt/qemu.conf', 'a') as conf:
        conf.write('\nuser = "root"\ngroup = "root"\nsecurity_driver = "none"\n'
                   'cgroup_controllers = []\nstdio_handler = "file"\n')


# libvirt's QEMUs are nobody's children, and it waits until their parent has noticed their end.
REAPER = '''import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
ctypes.CDLL(None).prctl(1, 9)   # PR_SET_PDEATHSIG
child = subprocess.Popen(["libvirtd"])
print(child.pid, flush=True)
while True:
    os.wait()
'''


class Libvirtd:
    def __init__(self):
        self.reaper = self.pid = None
        self.start()

    def start(self):
        with open(DIR / 'libvirtd.log', 'a') as log:
            self.reaper = spawn([sys.executable, '-c', REAPER], stderr=log, stdout=subprocess.PIPE,
                                env={**os.environ, 'PATH': os.environ['PATH'] + ':/usr/sbin'})
        self.pid = int(self.reaper.stdout.readline())
        until(lambda: virsh_result('version').returncode == 0, 'libvirtd to answer', 60)

    def signal(self, number):
        os.kill(self.pid, number)

    def restart(self, how):
        """The QEMUs stay."""
        self.signal(how)
        until(lambda: not pathlib.Path(f'/proc/{self.pid}').exists(), 'libvirtd to end')
        self.start()


def virsh_result(*words):
    return subprocess.run(['virsh', '-q', '-c', URI, *map(str, words)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=LIMIT_SEC * 4)


def virsh(*words):
    result = virsh_result(*words)
    check(result.returncode == 0, 'virsh', *words, result.stderr)
    return result.stdout.strip()


def xml(name, *interfaces, metadata='', ports=5, more=''):
    """A domain that never runs an instruction: TCG, and no guest to boot."""
    return f'''<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory>
<metadata>{metadata}</metadata>
<vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
<on_poweroff>destroy</on_poweroff><devices><emulator>{shutil.which("qemu-system-x86_64")}</emulator>
{"".join(interfaces)}
{"".join(f"<controller type='pci' index='{i}' model='pcie-root{'-port' if i else ''}'/>" for i in range(ports + 1))}
<memballoon model='none'/></devices>{more}</domain>'''


def interface(mac, tap, model='virtio', teaming="<teaming type='persistent'/>", alias='', bridge='br0'):
    alias = f"<alias name='{alias}'/>" if alias else ''
    return f'''<interface type='bridge'><source bridge='{bridge}'/><mac address='{mac}'/>
<target dev='{tap}'/><model type='{model}'/><driver name='qemu'/>{teaming}{alias}<rom enabled='no'/></interface>'''


def define(name, *interfaces, **more):
    path = DIR / f'{name}.xml'
    path.write_text(xml(name, *interfaces, **more))
    virsh('define', path)


def create(name, *interfaces, **more):
    """A transient domain."""
    path = DIR / f'{name}.xml'
    path.write_text(xml(name, *interfaces, **more))
    virsh('create', path)


def pairs_xml(*pairs):
    """The element that understudy pair add --persist writes; each pair is a dict of attributes."""
    inner = ''.join('<pair ' + ' '.join(f"{k}='{v}'" for k, v in pair.items()) + '/>' for pair in pairs)
    return f'<pairs>{inner}</pairs>'


def declare(domain, text, *flags):
    """Writes metadata as an administrator does."""
    virsh('metadata', domain, '--uri', NAMESPACE, '--key', 'understudy', '--set', text, *flags)


def metadata(domain, *flags):
    """What the domain declares; '' for nothing."""
    result = virsh_result('metadata', domain, '--uri', NAMESPACE, *flags)
    return ' '.join(result.stdout.split()) if result.returncode == 0 else ''
