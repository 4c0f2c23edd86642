# SPDX-License-Identifier: BSD-3-Clause
#
# A thin wrapper: `meson setup build && meson compile -C build` builds without it.

BUILD ?= build
PREFIX ?= /usr/local

PROGRAM_PACKAGES = gcc libc6-dev meson ninja-build pkg-config libsystemd-dev libjansson-dev libmnl-dev
BUILD_PACKAGES = $(PROGRAM_PACKAGES) libcmocka-dev
LAB_PACKAGES = qemu-system-x86 ipxe-qemu iproute2 busybox-static cpio kmod socat xz-utils zstd
CHECK_HOST_PACKAGES = $(LAB_PACKAGES) mmdebstrap e2fsprogs openssh-client
HOSTS_PACKAGES = $(LAB_PACKAGES) debootstrap openssh-client
GUESTS_PACKAGES = qemu-system-arm qemu-system-misc gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
	gcc-s390x-linux-gnu libc6-dev-s390x-cross
LIBVIRT_PACKAGES = libvirt-dev libxml2-dev libvirt-daemon-system libvirt-clients
CHECK_PACKAGES = $(LIBVIRT_PACKAGES) binutils clang clang-format cppcheck libclang-rt-dev mandoc openssh-client openssl shellcheck strace systemd

help:
	@echo 'make demo            live migrations with traffic: Understudy beside plain QEMU (root);'
	@echo '                     V=1 shows the full log'
	@echo 'make check-fast      build, and run the tests that need neither root nor the laboratory (a minute)'
	@echo 'make check           build with gcc and with sanitizers, and run all tests (root)'
	@echo 'make check-vfio      the tests with VFs, in emulated hosts; all, or SCENARIOS=… (root)'
	@echo 'make check-host      the commands of docs/getting-started.md, in two emulated Debian 13 (root)'
	@echo 'make check-guests    the laboratory with guests of Debian 13, arm64 and s390x (root)'
	@echo 'make check-sanitize  the C tests with address and undefined-behaviour sanitizers'
	@echo 'make simulate        two hosts in virtual time: 10 minutes of random runs, and every two faults'
	@echo 'make coverage        the lines and branches of src/core that its tests execute'
	@echo 'make faults          inject every fault of the laboratory (root, an hour)'
	@echo 'make bench           measure the processor time and memory of the daemon, and parking at speed'
	@echo 'make load            500 busy VMs for 10 minutes (root)'
	@echo 'make load-qemus      20 QEMUs with Linux guests at the same time (root)'
	@echo 'make build           build in $(BUILD)/'
	@echo 'make install         install under $(PREFIX), or below DESTDIR'
	@echo 'make clean           remove the build folders'

# Installs missing Debian packages if it runs as root, and names them otherwise.
define need
	@packaging/need-packages $(1)
endef

$(BUILD)/build.ninja:
	CC=$${CC:-gcc} meson setup --prefix $(PREFIX) $(BUILD)

build: build-packages $(BUILD)/build.ninja
	meson compile -C $(BUILD)

# In a folder of its own: it is built without tests, which check needs.
demo:
	@packaging/make-demo $(if $(V),--verbose) $(BUILD)-demo $(PROGRAM_PACKAGES) $(LAB_PACKAGES)

# Installs nothing. meson names a library that is missing.
check-fast:
	@tests/check --fast $(BUILD)

# VFS=1 adds some tests of check-vfio.
check: check-packages $(if $(VFS),hosts-packages)
	@tests/check $(if $(VFS),--with-vfs) $(BUILD)

check-vfio: build hosts-packages
	@tests/vfio/check-vfio $(BUILD) $(SCENARIOS)

check-host: build-packages check-host-packages $(BUILD)/build.ninja
	meson compile -C $(BUILD) understudy-beacon
	@tests/host/check-host $(BUILD)

check-guests: guests-packages build
	@tests/guests/check-guests $(BUILD)

check-sanitize: check-packages
	@tests/check --sanitize-only $(BUILD)

simulate: build-packages $(BUILD)/build.ninja
	meson compile -C $(BUILD) tests/model/sim
	$(BUILD)/tests/model/sim --seconds 600 --seed $$(date +%s)000
	$(BUILD)/tests/model/sim --faults 2

coverage: build-packages
	@tests/coverage $(BUILD)-coverage

faults: lab-packages $(BUILD)/build.ninja
	meson compile -C $(BUILD)
	$(BUILD)/lab/understudy-lab break

bench: lab-packages $(BUILD)/build.ninja
	meson compile -C $(BUILD)
	$(BUILD)/bench/bench $(BUILD)/src/daemon/understudyd
	$(BUILD)/bench/bench-park

load: lab-packages $(BUILD)/build.ninja
	meson compile -C $(BUILD)
	$(BUILD)/tests/load/load $(BUILD)/src/daemon/understudyd

load-qemus: lab-packages $(BUILD)/build.ninja
	meson compile -C $(BUILD)
	tests/load/load-qemus $(BUILD)/src/daemon/understudyd $(BUILD)/src/cli/understudy \
		lab/guest/make-image $(BUILD)/lab/understudy-beacon

install: build
	meson install --no-rebuild -C $(BUILD)

clean:
	rm -rf $(BUILD) $(BUILD)-clang $(BUILD)-coverage $(BUILD)-demo

build-packages:
	$(call need,$(BUILD_PACKAGES))

lab-packages:
	$(call need,$(BUILD_PACKAGES) $(LAB_PACKAGES))

guests-packages:
	$(call need,$(BUILD_PACKAGES) $(LAB_PACKAGES) $(GUESTS_PACKAGES))

hosts-packages:
	$(call need,$(BUILD_PACKAGES) $(HOSTS_PACKAGES))

check-host-packages:
	$(call need,$(BUILD_PACKAGES) $(CHECK_HOST_PACKAGES))

check-packages:
	$(call need,$(BUILD_PACKAGES) $(LAB_PACKAGES) $(CHECK_PACKAGES))

.PHONY: help build demo check check-fast check-vfio check-host check-guests check-sanitize simulate coverage faults bench load load-qemus install clean \
	build-packages lab-packages hosts-packages guests-packages check-host-packages check-packages
