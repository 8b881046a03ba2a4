# startpointfs: `make run` shows it, `make test` tests it, `make install` installs it.
# CFLAGS, LDFLAGS, CC, PREFIX and DESTDIR are the caller's; the project's own flags survive them.

ifeq ($(origin CC),default)
CC      := gcc
endif
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
DESTDIR ?=
B       ?= build

VERSION := 0.2.0

LIBS     := fuse3 libgit2 jansson libcurl oniguruma libmicrohttpd zlib libdeflate libcrypto libseccomp
PACKAGES := gcc make pkg-config libfuse3-dev libgit2-dev libjansson-dev libcurl4-openssl-dev \
            libonig-dev libmicrohttpd-dev zlib1g-dev libdeflate-dev libssl-dev libseccomp-dev fuse3 git ca-certificates
# What the tests need besides: real servers, peers to compare with, checkers.
TEST_PACKAGES := libcmocka-dev python3 nginx-light fcgiwrap wrk openssh-server openssh-client rsync \
            clang clang-format libclang-rt-14-dev runc busybox-static strace attr psmisc \
            gitolite3 python3-dulwich jgit-cli cgit \
            systemd man-db zsh shellcheck lintian dpkg-dev prometheus python3-yaml procps \
            $(if $(shell command -v kubectl),,kubernetes-client)

# What `make bench` compares with and draws with.
BENCH_PACKAGES := squashfuse squashfs-tools git gnuplot-nox util-linux

# What `make analyze` looks with.
ANALYZE_PACKAGES := cppcheck clang clang-tools

# What `make vm-test` makes and boots its machines with.
VM_PACKAGES := qemu-system-x86 debootstrap e2fsprogs python3 dpkg-dev

# `make V=1` shows the commands; else a build says one short line a file: `CC fs/worker/serve.c`.
say = $(if $(V),,@printf '%-4s %s\n' $(1) $(2) &&)

PROJECT_CFLAGS := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=314 -DVERSION='"$(VERSION)"' -I. \
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
    -Wformat=2 -Wundef -Wwrite-strings -fno-common -pthread
WERROR ?= -Werror
LIB_CFLAGS = $(shell pkg-config --cflags $(LIBS))
LIB_LDLIBS = $(shell pkg-config --libs $(LIBS))

SOURCES := $(sort $(wildcard manifest/*.c gitcache/*/*.c fs/*.c fs/*/*.c))
OBJECTS := $(SOURCES:%.c=$(B)/%.o)
CORE    := $(B)/core.a
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
UNITS   := $(patsubst tests/unit/%.c,$(B)/tests/%,$(sort $(wildcard tests/unit/test_*.c)))

.PHONY: objects analyze mutants sanitize soak deb deb-test vm-test vm-deps show-packages all deps test-deps run test unit e2e layers format format-check fuzz bench install uninstall clean

all: $(B)/startpointfs

objects: $(OBJECTS)

$(B)/startpointfs: $(OBJECTS)
	$(call say,LD,$@)$(CC) $(PROJECT_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LDLIBS)

# All but main(), for tests: each is linked with what it calls, in half the time.
$(CORE): $(filter-out $(B)/fs/cli/main.o,$(OBJECTS))
	@rm -f $@
	$(call say,AR,$@)ar rcsT $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(PROJECT_CFLAGS) $(WERROR) $(LIB_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What of these is not freed is a failure, too. Only linked, not compiled: it costs nearly nothing; the sanitizers of `make sanitize` find
# leaks by themselves.
LEAKS := $(if $(findstring -fsanitize,$(CFLAGS)),,-fsanitize=leak)
$(addprefix $(B)/tests/,test_refs test_reach test_lease test_failing_calls test_failing_reads test_gc_rules test_pack test_odd_packs test_cache_folder \
    test_url test_source test_listing test_each_allocation test_attributes test_objects test_requests test_resolve test_gitconfig \
    test_http_options test_http_login test_smart_http test_fetch test_lsrefs test_manifest test_manifest_cases test_manifest_findings \
    test_set_arguments test_status_screen): LDFLAGS += $(LEAKS)

# Tests that make an allocation fail, or look on.
$(B)/tests/test_refresh: UNIT_LDFLAGS := -Wl,--wrap=calloc,--wrap=repository_fetch,--wrap=room_make
$(B)/tests/test_cache_folder: UNIT_LDFLAGS := -Wl,--wrap=readdir64
$(B)/tests/test_http_options: UNIT_LDFLAGS := -Wl,--wrap=curl_easy_setopt
$(B)/tests/test_gather: UNIT_LDFLAGS := -Wl,--wrap=pthread_create
$(B)/tests/test_readings: UNIT_LDFLAGS := -Wl,--wrap=reading_processor_time
$(B)/tests/test_fence_files: UNIT_LDFLAGS := -Wl,--wrap=realpath,--wrap=syscall
$(B)/tests/test_fence_calls: UNIT_LDFLAGS := -Wl,--wrap=seccomp_rule_add,--wrap=seccomp_init
$(B)/tests/test_reload: UNIT_LDFLAGS := -Wl,--wrap=load_run,--wrap=poll
$(B)/tests/test_signals: UNIT_LDFLAGS := -Wl,--wrap=list_watch_reload,--wrap=connection_drain
$(B)/tests/test_list_watch: UNIT_LDFLAGS := -Wl,--wrap=lists_each_folder,--wrap=lists_reload,--wrap=fence_is_outdated,--wrap=connection_drain,--wrap=poll,--wrap=inotify_init1
$(B)/tests/test_connection $(B)/tests/test_worker $(B)/tests/test_serve: UNIT_LDFLAGS := -Wl,--wrap=writev,--wrap=readv
$(B)/tests/test_serve: UNIT_LDFLAGS += -Wl,--wrap=readings_get_blob
$(B)/tests/test_connection: UNIT_LDFLAGS += -Wl,--wrap=pthread_create
$(B)/tests/test_front: UNIT_LDFLAGS := -Wl,--wrap=clients_set,--wrap=getaddrinfo,--wrap=freeaddrinfo
$(B)/tests/test_fuse_mount: UNIT_LDFLAGS := -Wl,--wrap=fuse_session_unmount,--wrap=unmount_at,--wrap=mount_table_find
$(B)/tests/test_oom_kills: UNIT_LDFLAGS := -Wl,--wrap=fopen,--wrap=fopen64
$(B)/tests/test_mountpoint: UNIT_LDFLAGS := -Wl,--wrap=mount_table_find,--wrap=unmount_at,--wrap=statfs64
$(B)/tests/test_unmount: UNIT_LDFLAGS := -Wl,--wrap=geteuid,--wrap=umount2
$(B)/tests/test_texts: UNIT_LDFLAGS := -Wl,--wrap=calloc
$(B)/tests/test_supervisor: UNIT_LDFLAGS := -Wl,--wrap=poll,--wrap=oom_kills
$(B)/tests/test_lists: UNIT_LDFLAGS := -Wl,--wrap=set_folders_publish
$(B)/tests/test_making_room: UNIT_LDFLAGS := -Wl,--wrap=strdup
$(B)/tests/test_searches: UNIT_LDFLAGS := -Wl,--wrap=calloc,--wrap=commit_search
$(B)/tests/test_ask: UNIT_LDFLAGS := -Wl,--wrap=strdup
$(B)/tests/test_reading: UNIT_LDFLAGS := -Wl,--wrap=checkout_read,--wrap=room_make
$(B)/tests/test_sets: UNIT_LDFLAGS := -Wl,--wrap=gc_keep
$(B)/tests/test_publish: UNIT_LDFLAGS := -Wl,--wrap=node_publish_checkout
$(B)/tests/test_memory_file: UNIT_LDFLAGS := -Wl,--wrap=malloc,--wrap=realloc
$(B)/tests/test_no_memory: UNIT_LDFLAGS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
$(B)/tests/test_pool: UNIT_LDFLAGS := -Wl,--wrap=remote_rest,--wrap=remote_new,--wrap=pthread_create
$(B)/tests/test_cache: UNIT_LDFLAGS := -Wl,--wrap=mkdtemp,--wrap=listing_parse,--wrap=remote_new
comma := ,
$(B)/tests/test_each_allocation $(B)/tests/test_short_memory $(B)/tests/test_mount_memory: UNIT_LDFLAGS := $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc reallocarray strdup strndup asprintf)
FAILING_CALLS := $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc reallocarray strdup strndup asprintf opendir readdir64 lstat64 stat64 \
    fstatat64 open64 mkostemp64 rename unlink mkdir fsync flock write)
$(B)/tests/test_failing_calls: UNIT_LDFLAGS := $(FAILING_CALLS)
$(B)/tests/test_failing_reads: UNIT_LDFLAGS := $(FAILING_CALLS) -Wl,--wrap=pread64,--wrap=pwrite64,--wrap=pthread_create

$(B)/tests/%: tests/unit/%.c $(CORE)
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(PROJECT_CFLAGS) $(WERROR) $(LIB_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) $(UNIT_LDFLAGS) -o $@ \
	    $(filter %.c %.a,$^) $(LIB_LDLIBS) -lcmocka

-include $(OBJECTS:.o=.d) $(UNITS:=.d)

# Installs the Debian packages that are missing, and asks for nothing if none is.
define install_packages
	@missing=$$(for p in $(1); do \
	    dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q ' installed$$' || echo $$p; done); \
	[ -z "$$missing" ] || { [ "$$(id -u)" = 0 ] && sudo= || sudo=sudo; \
	    echo "installing:" $$missing; \
	    $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }
endef

deps:
	$(call install_packages,$(PACKAGES))

test-deps: deps
	$(call install_packages,$(TEST_PACKAGES))

run: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@mount-scripts/example $(B)/startpointfs

test: test-deps
	@B=$(B) tests/run

# Of `make test`, what runs with the sanitizers.
sanitize: test-deps
	@B=$(B) tests/run asan
	@B=$(B) tests/run tsan

# Kills the worker 200 times under readers, by each of the signals that `make test` uses, and some
# things that take longer.
soak: test-deps
	@$(MAKE) --no-print-directory unit && DAMAGE_STEP=1 $(B)/tests/test_damage
	@MEMORY_STEP=1 $(B)/tests/test_mount_memory
	@B=$(B) E2E_KILLS=200 E2E_JOBS=1 tests/run e2e test_crash
	@B=$(B) E2E_KILLS=200 E2E_JOBS=1 tests/run e2e test_outlive.Kills
	@B=$(B) E2E_LIST_CHANGES=1000 E2E_JOBS=1 tests/run e2e test_list_faults.Campaign
	@B=$(B) E2E_ALL_KILLS=500 E2E_JOBS=1 tests/run e2e test_kills
	@B=$(B) E2E_NTH_CALLS=places tests/run e2e test_nth_call_fails
	@E2E_LOAD_SECONDS=300 E2E_JOBS=1 tests/run asan test_load
	@E2E_LOAD_SECONDS=300 E2E_JOBS=1 tests/run tsan test_load
	@B=$(B) E2E_VERSIONS=10000 E2E_REPOSITORIES=200 E2E_DESCRIPTORS=1024 tests/run e2e test_thousands_of_versions

# What a checker of the sources finds; a false finding is silenced at its place, with the reason.
# Jansson's loops are told to it, since it reads no header of a library.
CPPCHECK_FLAGS := --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    $(filter -D% -I%,$(PROJECT_CFLAGS)) -D__linux__ -D__GNUC__=12 \
    -D'json_array_foreach(a,i,v)=while((v=json_array_get(a,i=next_index(a))))' \
    -D'json_object_foreach(o,k,v)=while((k=next_key(o))&&(v=json_object_get(o,k)))'

# Of gcc's leaks, 38 in 250 files, each was looked at: all are what an item of an array owns whose address gcc 12 has lost. The
# sanitizers and clang look for leaks, too.
GCC_ANALYZE_FLAGS := -fanalyzer -Wno-analyzer-malloc-leak
# vfork(2) is meant: the child does nothing but system calls and, if exec fails, one store (process.c).
CLANG_ANALYZE_FLAGS := -disable-checker security.insecureAPI.vfork -disable-checker unix.Vfork

# tests/analyze/model.h tells both what they cannot see in one file. What they find is an error: -Werror, --status-bugs.
ANALYZE_MAKE = $(MAKE) --no-print-directory -k -j$$(nproc) CPPFLAGS='-include tests/analyze/model.h'

build-analyze/%/gitcache/base/error.o: override CPPFLAGS :=

analyze: deps
	$(call install_packages,$(ANALYZE_PACKAGES))
	@cppcheck $(CPPCHECK_FLAGS) $(SOURCES) && echo "cppcheck: nothing found"
	@rm -rf build-analyze && mkdir build-analyze
	@$(ANALYZE_MAKE) CFLAGS='-O2 $(GCC_ANALYZE_FLAGS)' B=build-analyze/gcc objects >build-analyze/log 2>&1 || \
	    { cat build-analyze/log; exit 1; }; echo "gcc -fanalyzer: nothing found"
	@scan-build --status-bugs $(CLANG_ANALYZE_FLAGS) -o build-analyze/found \
	    $(ANALYZE_MAKE) CFLAGS=-O0 B=build-analyze/clang objects >build-analyze/log 2>&1 || \
	    { cat build-analyze/log; exit 1; }; echo "scan-build: nothing found"

unit: $(UNITS)

# Small wrong changes to the program, each alone: is it noticed? Hours; MUTANTS='gitcache/net status' are those of which the
# place or the promise has one of these words.
mutants: test-deps all
	@B=$(B) tests/mutate $(MUTANTS)

# gitcache/ and manifest/ know nothing of each other, nothing knows fs/; libraries stay behind their layer.
layers:
	@tests/layers

format:
	@clang-format -i $(wildcard */*.[ch] */*/*.[ch])

format-check:
	@clang-format --dry-run -Werror $(wildcard */*.[ch] */*/*.[ch])

# Beside git, ext4 and squashfuse, on a machine that does nothing else meanwhile. As root: it drops the kernel's caches.
bench: test-deps
	$(call install_packages,$(BENCH_PACKAGES))
	@$(MAKE) --no-print-directory all
	@B=$(B) /usr/bin/python3 tests/bench/bench.py; status=$$?; \
	[ -n "$(BENCH_SHORT)$(BENCH_ROWS)" ] || B=$(B) /usr/bin/python3 tests/bench/bench_serve.py || status=1; exit $$status

# Each fuzzer for FUZZ_SECONDS, one a processor, from its corpus on. What it finds new is kept in build-fuzz/corpus, an
# input that fails beside it.
FUZZ_SECONDS  ?= 10
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined

fuzz:
	@$(MAKE) --no-print-directory B=build-fuzz CC=clang WERROR= CFLAGS='-O1 -g $(FUZZ_SANITIZE) \
	    -fsanitize=fuzzer-no-link' LDFLAGS='$(FUZZ_SANITIZE)' $(FUZZERS:%=build-fuzz/fuzz/%)
	@echo $(FUZZERS) | tr ' ' '\n' | xargs -P "$$(nproc)" -I NAME sh -c 'mkdir -p build-fuzz/corpus/NAME; \
	    build-fuzz/fuzz/NAME -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
	        -artifact_prefix=build-fuzz/NAME- -verbosity=0 -print_final_stats=0 \
	        build-fuzz/corpus/NAME tests/fuzz/corpus/NAME >build-fuzz/NAME.log 2>&1 || \
	        { cat build-fuzz/NAME.log; exit 255; }; \
	    echo "fuzz NAME: nothing found in $(FUZZ_SECONDS) s"'

build-fuzz/fuzz/%: tests/fuzz/fuzz_%.c $(CORE)
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(PROJECT_CFLAGS) $(LIB_CFLAGS) $(CFLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $(filter %.c %.a,$^) \
	    $(LIB_LDLIBS)

# mount(8) looks for its helpers in /sbin alone, which is /usr/sbin on today's systems.
HELPER_DIR ?= $(if $(filter /usr/local,$(PREFIX)),/sbin,$(PREFIX)/sbin)
HELPER_TARGET = $(if $(filter $(PREFIX)/sbin,$(HELPER_DIR)),../bin/startpointfs,$(PREFIX)/bin/startpointfs)
MAN_DIR  ?= $(PREFIX)/share/man
UNIT_DIR ?= $(PREFIX)/lib/systemd/system
GENERATOR_DIR ?= $(UNIT_DIR)-generators
BASH_DIR ?= $(PREFIX)/share/bash-completion/completions
ZSH_DIR  ?= $(PREFIX)/share/zsh/site-functions

INSTALLED = $(PREFIX)/bin/startpointfs $(HELPER_DIR)/mount.startpointfs \
    $(MAN_DIR)/man1/startpointfs.1 $(MAN_DIR)/man5/startpointfs-list.5 $(MAN_DIR)/man8/mount.startpointfs.8 \
    $(UNIT_DIR)/startpointfs.service $(UNIT_DIR)/startpointfs-serve@.service $(GENERATOR_DIR)/startpointfs-generator \
    $(BASH_DIR)/startpointfs $(ZSH_DIR)/_startpointfs

install: all
	install -D -m 0755 $(B)/startpointfs $(DESTDIR)$(PREFIX)/bin/startpointfs
	install -d $(DESTDIR)$(HELPER_DIR)
	ln -sf $(HELPER_TARGET) $(DESTDIR)$(HELPER_DIR)/mount.startpointfs
	install -D -m 0644 mount-scripts/man/startpointfs.1 $(DESTDIR)$(MAN_DIR)/man1/startpointfs.1
	install -D -m 0644 mount-scripts/man/startpointfs-list.5 $(DESTDIR)$(MAN_DIR)/man5/startpointfs-list.5
	install -D -m 0644 mount-scripts/man/mount.startpointfs.8 $(DESTDIR)$(MAN_DIR)/man8/mount.startpointfs.8
	install -D -m 0644 mount-scripts/completions/startpointfs.bash $(DESTDIR)$(BASH_DIR)/startpointfs
	install -D -m 0644 mount-scripts/completions/_startpointfs $(DESTDIR)$(ZSH_DIR)/_startpointfs
	install -d $(DESTDIR)$(UNIT_DIR)
	for unit in startpointfs.service startpointfs-serve@.service; do \
	    sed 's,@BINDIR@,$(PREFIX)/bin,g' mount-scripts/systemd/$$unit >$(DESTDIR)$(UNIT_DIR)/$$unit && \
	    chmod 0644 $(DESTDIR)$(UNIT_DIR)/$$unit || exit 1; done
	install -D -m 0755 mount-scripts/systemd/startpointfs-generator $(DESTDIR)$(GENERATOR_DIR)/startpointfs-generator

# The Debian package, built in build-deb with Debian's own flags.
deb: deps
	$(call install_packages,dpkg-dev)
	@eval "$(MAKE) --no-print-directory B=build-deb \
	    $$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --export=cmdline) all"
	@mount-scripts/packages/build-deb build-deb $(VERSION)

# Installs it into a fresh Debian, with all it depends on. Needs the network, and some minutes.
deb-test: deb
	$(call install_packages,debootstrap)
	@mount-scripts/packages/try-deb build-deb/startpointfs_$(VERSION)_*.deb

vm-deps: deps
	$(call install_packages,$(VM_PACKAGES))

# In machines with Debian 12's and 13's own kernels, systemd as process 1 and Docker; as root. VM="bookworm test_unit" is a
# part of it. The first time takes the network, and some minutes.
vm-test: vm-deps
	@tests/vm/run $(VM)

# What a tree of another Debian needs to build this.
show-packages:
	@echo $(PACKAGES)

uninstall:
	rm -f $(INSTALLED:%=$(DESTDIR)%)

clean:
	rm -rf build build-*
