# The simulation, for the Makefile: see sim.h.
#   make check-sim     fixed seeds, about ten seconds; a part of make check
#   make check-fault   a long run, and the mutants

# The daemon's own objects over a kernel of the simulation's: these calls lead there.
sim_wraps := open openat close read write pread pwrite lseek ftruncate fstat fstatat stat mkdirat unlinkat renameat \
             symlinkat readlink fsync fdatasync syncfs flock fcntl fdopendir opendir readdir closedir dirfd faccessat \
             fchmodat fchownat fchmod fstatvfs realpath syscall ioctl getrandom clock_gettime nanosleep epoll_create1 \
             epoll_ctl epoll_wait poll eventfd signalfd sigprocmask signal prctl memfd_create socketpair send sendmsg \
             recv vfork waitpid kill getpid getrlimit setrlimit sched_getaffinity pthread_create \
             pthread_detach pthread_mutex_lock pthread_mutex_unlock pthread_cond_wait pthread_cond_broadcast \
             inotifytools_initialize inotifytools_error inotifytools_watch_file inotifytools_filename_from_wd \
             inotifytools_next_event
sim_obj   := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/sim/*.c)))
comma     := ,
# No header has the names that the linker gives, __wrap_X.
$(sim_obj): WARN += -Wno-missing-prototypes
$(sim_obj): CPPFLAGS += -I.

$(BUILD)/tests/sim/sim: $(sim_obj) $(filter-out %/main.o,$(creeld_obj)) $(BUILD)/libcreel.a
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(ALL_LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(sim_wraps)) -o $@ $^ $(PKG_LIBS) $(TAR_LIBS) -lm

# Seeds that notice when what they found is taken out again: what a failed syncfs gave up (87, 149, 615), a daemon without
# a configuration that closes standard input (182), an instance of a forEach that was made ready and whose commit never
# came, taken for damage (2970).  A world changes with every call that the daemon makes: look for others when these notice
# it no more.
sim_finds := 87 149 182 615 2970

.PHONY: check-sim
check-sim: $(BUILD)/tests/sim/sim
	@$(BUILD)/tests/sim/sim --seeds 1-100
	@for s in $(sim_finds); do $(BUILD)/tests/sim/sim --seed $$s > $(BUILD)/tests/sim/find || { cat $(BUILD)/tests/sim/find; exit 1; }; done
