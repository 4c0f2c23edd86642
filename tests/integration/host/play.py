# SPDX-License-Identifier: BSD-3-Clause
"""
A VM that is played: its monitor, and its guest, which drives both cards of a pair as one.

Faults of the host are tried by the hundred and need no real QEMU; a real guest is the lab's. What
is answered is what QEMU 7.2 was seen to answer.
"""
import fcntl
import json
import os
import pathlib
import select
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'blackbox'))
from harness import RUN, ip  # noqa: E402

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 2, 0x1000
STATUSES = ['ACKNOWLEDGE', 'DRIVER', 'FEATURES_OK', 'DRIVER_OK']


class Port:
    """The VM's end of a tap, which is made a port of @bridge."""

    def __init__(self, name, bridge='br0'):
        self.fd = os.open('/dev/net/tun', os.O_RDWR)
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack('16sH22x', name.encode(), IFF_TAP | IFF_NO_PI))
        ip('link', 'set', name, 'up', 'master', bridge)
        self.end, self.may_end = os.pipe()
        self.thread = None

    def answer(self, mac, may_answer):
        """Whoever asks @mac is answered, while @may_answer()."""
        self.thread = threading.Thread(target=self.serve, args=[mac, may_answer], daemon=True)
        self.thread.start()

    def serve(self, mac, may_answer):
        while self.end not in select.select([self.fd, self.end], [], [])[0]:
            try:
                frame = os.read(self.fd, 70000)
                if may_answer():
                    os.write(self.fd, frame[6:12] + mac + b'\x88\xb5' + bytes(46))
            except OSError:  # it is down
                time.sleep(0.01)

    def close(self):
        os.write(self.may_end, b'.')
        if self.thread:
            self.thread.join()
        os.close(self.fd)


class Played:
    """The monitor of a VM with the standby net0 behind @standby; its guest is capable."""

    ids = 0

    def __init__(self, standby, mac, primary=None, state='running', path=None):
        Played.ids += 1
        self.path = path or RUN / f'played-{Played.ids}'
        self.standby, self.mac, self.state = standby, mac, state
        self.devices, self.is_capable = set(), True
        self.peer, self.lock = None, threading.RLock()
        self.at_migrate = lambda: None
        self.asked = []
        if primary:
            primary.answer(bytes.fromhex(mac.replace(':', '')), lambda: bool(self.devices))
        self.listener = socket.socket(socket.AF_UNIX)
        pathlib.Path(self.path).unlink(missing_ok=True)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.listener.accept()
            with self.lock:
                self.peer = peer
            self.say({'QMP': {'version': {'qemu': {'major': 7, 'minor': 2, 'micro': 22},
                                          'package': ''}, 'capabilities': []}})
            threading.Thread(target=self.talk, args=[peer], daemon=True).start()

    def talk(self, peer):
        try:
            for line in peer.makefile('r'):
                self.answer(json.loads(line))
        except OSError:
            pass

    def say(self, message):
        with self.lock:
            try:
                self.peer.sendall(json.dumps(message).encode() + b'\r\n')
            except OSError:  # it hung up, and comes again
                pass

    def event(self, name, **data):
        self.say({'event': name, 'data': data})

    def answer(self, command):
        name, arguments = command['execute'], command.get('arguments', {})
        self.asked.append(name)
        value, then = self.value_of(name, arguments)
        if value is None:
            self.say({'error': {'class': 'DeviceNotFound', 'desc': 'there is none'},
                      'id': command['id']})
        else:
            self.say({'return': value, 'id': command['id']})
        if then:
            then()

    def value_of(self, name, arguments):
        """What is returned, None: there is no such object; and what happens next."""
        path = arguments.get('path', '')
        device = path.split('/')[3] if path.count('/') > 2 else arguments.get('id', '')
        if device.startswith('understudy-') and name in ('qom-get', 'device_del'):
            if device not in self.devices:
                return None, None
            if name == 'device_del':
                return {}, lambda: self.unplug(device)
        if name == 'device_add':
            self.devices.add(device)
        elif name == 'migrate':
            return {}, self.at_migrate
        elif name == 'x-query-virtio-status':
            return self.virtio(), None
        elif name == 'query-status':
            return {'status': self.state, 'running': self.state == 'running'}, None
        elif name == 'qom-list' and path == '/machine/peripheral':
            return [{'name': 'rp0', 'type': 'child<pcie-root-port>'}], None
        elif name == 'qom-get':
            values = {'mac': self.mac, 'host_mtu': 0, 'type': 'virtio-net-pci'}
            return values.get(arguments['property'], '/machine/peripheral/rp0/rp0'), None
        elif name == 'human-monitor-command':
            return f'net0: type=nic\r\n \\ n0: index=0,type=tap,ifname={self.standby}\r\n', None
        elif name in ('query-migrate-capabilities', 'query-pci'):
            return [], None
        return {}, None

    def virtio(self):
        features = {'dev-features': ['VIRTIO_NET_F_STANDBY: standby'],
                    'transports': ['VIRTIO_F_VERSION_1: v1']}
        taken = features if self.is_capable else {'dev-features': []}
        statuses = [f'VIRTIO_CONFIG_S_{s}' for s in STATUSES if self.is_capable]
        return {'status': {'statuses': statuses}, 'host-features': features,
                'guest-features': taken}

    def unplug(self, device):
        self.devices.discard(device)
        self.event('DEVICE_DELETED', device=device, path=f'/machine/peripheral/{device}')

    def migrate(self, destination):
        """All that QEMU tells of a migration that succeeds."""
        self.event('MIGRATION', status='active')
        self.state = 'postmigrate'
        self.event('STOP')
        self.event('MIGRATION', status='completed')
        destination.state = 'running'
        destination.event('RESUME')
