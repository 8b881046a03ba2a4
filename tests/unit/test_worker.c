/* test_worker.c - a whole worker, from what its supervisor gives it to its end. What it gives up it does not get back, and a thread
 * of it may be left: each runs in a process of its own. */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "fs/shared/last_reading.h"
#include "gitcache/base/clock.h"
#include "gitcache/net/launcher.h"
#include "tests/unit/kernel.h"

#define FAILED     100 /* how its process ends then; else as worker_run does */
#define MOUNTED_AT 1234567890

/* What its supervisor has, and what it hears. */
struct supervisor {
    struct kernel kernel;
    char *operand; /* what `mount` was given: a source or a list; NULL: nothing */
    int fuse_fd, nodes_fd, state_fd, lists_fd;
    struct state *state;
    int said
        [2]; /* a pipe: 'r' when it is ready, 'l' when it has read the lists again; or why it could not begin */
    char *needed; /* in shared memory: a file that the network reads */
    pid_t worker;
    uid_t user; /* whose it is to be */
};

static int each_file(void *data, int (*visit)(void *visit_data, const char *path), void *visit_data)
{
    return visit(visit_data, ((const struct supervisor *)data)->needed);
}

static void say(const struct supervisor *supervisor, char what)
{
    if (write(supervisor->said[1], &what, 1) < 0)
        return;
}

/* Nothing can be started behind the fence, and what user= says is who it is. */
static void on_worker_ready(void *data)
{
    const struct supervisor *supervisor = data;
    bool is_fenced = execl("/none", "none", NULL) < 0 && errno != ENOENT;

    say(data, is_fenced && geteuid() == supervisor->user ? 'r' : 'x');
}

static void on_reloaded(void *data)
{
    say(data, 'l');
}

static void be_worker(struct supervisor *supervisor)
{
    struct settings *settings = &supervisor->kernel.mounted.settings;
    const struct worker_start start = {
        .settings = settings,
        .folder = supervisor->kernel.mounted.box->folder,
        .operands = &supervisor->operand,
        .operand_count = supervisor->operand ? 1 : 0,
        .fuse_fd = supervisor->fuse_fd,
        .nodes_fd = supervisor->nodes_fd,
        .state_fd = supervisor->state_fd,
        .lists_fd = supervisor->lists_fd,
        .each_file = each_file,
        .ready = on_worker_ready,
        .reloaded = on_reloaded,
        .data = supervisor,
    };
    const struct launcher_hooks hooks = {.prepare = NULL, .lost = NULL};
    struct error e = {0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    setenv("TMPDIR", settings->sets, 1); /* with a sanitizer all there can be opened */
    if (launcher_open(&settings->remote.launcher, &hooks, &e) < 0)
        _exit(FAILED + 1);
    int r = worker_run(&start, &e);
    if (r < 0 && write(supervisor->said[1], e.text, strlen(e.text)) < 0)
        _exit(FAILED + 2);
    _exit(r < 0 ? FAILED : r);
}

static void supervisor_open(struct supervisor *supervisor, void **state, const char *operand)
{
    const struct timeval patience = {.tv_sec = 20};
    const struct sandbox *box = *state;
    struct settings *settings = &supervisor->kernel.mounted.settings;
    struct error e = {0};
    char path[200];
    int ends[2];

    make_repository(box);
    run(box, "mkdir -p sets; echo x >needed");
    *supervisor = (struct supervisor){.operand = (char *)operand, .user = geteuid()};
    supervisor->kernel = (struct kernel){.unique = FIRST_REQUEST, .hears_answers_only = true};
    mounted_prepare(&supervisor->kernel.mounted, state);
    snprintf(path, sizeof path, "%s/sets", box->folder);
    assert_int_equal(settings_folder(&settings->sets, path), 0);
    snprintf(path, sizeof path, "%s/worker.log", box->folder);
    settings->log_file = strdup(path);
    supervisor->needed = mmap(NULL, 200, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(supervisor->needed, MAP_FAILED);
    snprintf(supervisor->needed, 200, "%s/needed", box->folder);
    supervisor->nodes_fd = nodes_create(100000, 1, &e);
    supervisor->state_fd = state_create(&e);
    supervisor->lists_fd = last_reading_create(&e);
    assert_int_equal(state_map(&supervisor->state, supervisor->state_fd, &e), 0);
    supervisor->state->mounted_at = MOUNTED_AT * 1000ll;
    supervisor->state->has_epochs = EPOCHS_KNOWN;
    kernel_offer(supervisor->state);
    ((struct first_request *)supervisor->state->init)->init.flags2 |= HAS_RESEND;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    supervisor->kernel.fd = ends[0];
    supervisor->fuse_fd = ends[1];
    assert_int_equal(pipe(supervisor->said), 0);
}

static void start_worker(struct supervisor *supervisor)
{
    atomic_fetch_add(&supervisor->state->workers, 1);
    supervisor->worker = fork();
    assert_true(supervisor->worker >= 0);
    if (supervisor->worker == 0)
        be_worker(supervisor);
}

static char hear_worker(const struct supervisor *supervisor)
{
    struct pollfd event = {.fd = supervisor->said[0], .events = POLLIN};
    char what;

    assert_int_equal(poll(&event, 1, 20000), 1);
    assert_int_equal(read(supervisor->said[0], &what, 1), 1);
    return what;
}

static void expect_ready(struct supervisor *supervisor)
{
    assert_int_equal(hear_answer(&supervisor->kernel, FIRST_REQUEST), 0);
    char first = hear_worker(supervisor),
         second = hear_worker(supervisor); /* it reads the lists meanwhile */
    assert_true((first == 'r' && second == 'l') || (first == 'l' && second == 'r'));
    atomic_store(&supervisor->state->answers, 1);
}

static void begin(struct supervisor *supervisor)
{
    start_worker(supervisor);
    expect_ready(supervisor);
}

/* How its process ends. */
static int end_of_worker(struct supervisor *supervisor)
{
    int status;

    assert_int_equal(waitpid(supervisor->worker, &status, 0), supervisor->worker);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int unmount(struct supervisor *supervisor)
{
    const char end = ENODEV;

    assert_int_equal(send(supervisor->kernel.fd, &end, 1, 0), 1);
    return end_of_worker(supervisor);
}

static void supervisor_close(struct supervisor *supervisor)
{
    close(supervisor->kernel.fd);
    close(supervisor->fuse_fd);
    close(supervisor->nodes_fd);
    close(supervisor->state_fd);
    close(supervisor->lists_fd);
    close(supervisor->said[0]);
    close(supervisor->said[1]);
    state_unmap(supervisor->state);
    munmap(supervisor->needed, 200);
    settings_release(&supervisor->kernel.mounted.settings);
    library_close();
}

/* The log has so many lines with that text. */
static void assert_logged(void **state, const char *text, int lines)
{
    assert_int_equal(atoi(output(*state, "grep -c -- '%s' worker.log; true", text)), lines);
}

/* The text of a file, up to its first kilobytes. */
static const char *text_of(struct supervisor *supervisor, const char *path)
{
    const struct fuse_read_in read = {.size = 32768};
    struct kernel *kernel = &supervisor->kernel;
    uint64_t file = look_along(kernel, path);

    assert_int_equal(ask_for(kernel, FUSE_READ, file, &read, sizeof read), 0);
    kernel->said.bytes[kernel->said.header.len - sizeof kernel->said.header] = '\0';
    return kernel->said.bytes;
}

static void test_a_worker_serves_until_the_mount_ends(void **state)
{
    struct supervisor supervisor;
    char pid[40];

    supervisor_open(&supervisor, state, "./repo?tag=1");
    begin(&supervisor);
    assert_string_equal(text_of(&supervisor, "repo/1/folder/file"), "deep\n");
    snprintf(pid, sizeof pid, "\"pid\": %d,", (int)supervisor.worker);
    assert_non_null(strstr(text_of(&supervisor, ".startpointfs/status.json"), pid));
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    snprintf(pid, sizeof pid, "serving, worker %d", (int)supervisor.worker);
    assert_logged(state, pid, 1);
    snprintf(pid, sizeof pid, "worker %d ends: unmounted", (int)supervisor.worker);
    assert_logged(state, pid, 1);
    supervisor_close(&supervisor);
}

static void test_a_worker_that_is_told_to_makes_room_for_the_next(void **state)
{
    struct supervisor supervisor;
    char says[40];

    supervisor_open(&supervisor, state, "./repo?tag=1");
    begin(&supervisor);
    uint64_t file = look_along(&supervisor.kernel, "repo/1/file");
    assert_int_equal(kill(supervisor.worker, SIGTERM), 0);
    assert_int_equal(end_of_worker(&supervisor), WORKER_REPLACED);
    snprintf(says, sizeof says, "worker %d ends$", (int)supervisor.worker);
    assert_logged(state, says, 1);
    begin(&supervisor);
    const struct fuse_getattr_in nothing = {0};
    assert_int_equal(
        ask_for(&supervisor.kernel, FUSE_GETATTR, FUSE_ROOT_ID, &nothing, sizeof nothing), 0);
    assert_true(supervisor.kernel.said.attr.attr.mtime >= MOUNTED_AT);
    assert_true(look_along(&supervisor.kernel, "repo/1/file") == file);
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    supervisor_close(&supervisor);
}

/* Whoever looks into two versions of a list gets the others before he asks. */
static void test_the_rest_of_a_list_is_fetched_ahead(void **state)
{
    struct supervisor supervisor;
    char source[20];

    run(*state, "for i in 1 2 3 4; do echo \"./r$i?tag=1\" >>some.list; done");
    supervisor_open(&supervisor, state, "./some.list");
    run(*state, "for i in 1 2 3 4; do cp -r repo r$i; done");
    supervisor.kernel.mounted.settings.readahead = READAHEAD_YES;
    begin(&supervisor);
    for (int i = 1; i <= 2; i++) {
        snprintf(source, sizeof source, "r%d/1/file", i);
        text_of(&supervisor, source);
    }
    for (int64_t end = clock_now() + 20000; supervisor.state->fetches < 4; sched_yield())
        assert_true(clock_now() < end);
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    supervisor_close(&supervisor);
}

/* The supervisor had it killed, or it has died. */
static void kill_worker(struct supervisor *supervisor)
{
    assert_int_equal(kill(supervisor->worker, SIGKILL), 0);
    assert_int_equal(end_of_worker(supervisor), -SIGKILL);
}

static void test_what_the_last_worker_died_of_is_counted(void **state)
{
    struct supervisor supervisor;

    supervisor_open(&supervisor, state, "./repo?tag=1");
    struct crash_record *crashes = &supervisor.state->crashes;
    crash_record_work(crashes, 7);
    begin(&supervisor);
    assert_int_equal(crash_record_deaths(crashes, 7), 1);
    crash_record_work(crashes, 8);
    supervisor.state->was_killed = true;
    kill_worker(&supervisor);
    begin(&supervisor);
    assert_int_equal(crash_record_deaths(crashes, 8), 0);
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    supervisor_close(&supervisor);
}

/* A supervisor that goes on with the mount of another one may begin before the other's worker has ended. */
static void test_no_two_workers_serve_a_mount(void **state)
{
    struct supervisor supervisor;
    struct pollfd event = {.events = POLLIN};

    supervisor_open(&supervisor, state, "./repo?tag=1");
    begin(&supervisor);
    pid_t first = supervisor.worker;
    start_worker(&supervisor);
    event.fd = supervisor.said[0];
    assert_int_equal(poll(&event, 1, 1000), 0);
    assert_int_equal(kill(first, SIGTERM), 0);
    assert_int_equal(waitpid(first, NULL, 0), first);
    expect_ready(&supervisor);
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    supervisor_close(&supervisor);
}

/* What it cannot begin without ends it, with a sentence. */
static void assert_cannot_begin(struct supervisor *supervisor, const char *sentence)
{
    char said[1000] = {0};

    start_worker(supervisor);
    assert_int_equal(end_of_worker(supervisor), FAILED);
    assert_true(read(supervisor->said[0], said, sizeof said - 1) > 0);
    if (!strstr(said, sentence))
        fail_msg("%s", said);
}

static void test_what_a_worker_cannot_begin_without(void **state)
{
    struct supervisor supervisor;
    const struct settings *settings = &supervisor.kernel.mounted.settings;

    supervisor_open(&supervisor, state, "./repo?tag=1");
    run(*state, "touch cache; mkdir %s", settings->log_file);
    assert_cannot_begin(&supervisor, "worker.log: Is a directory");
    run(*state, "rmdir %s", settings->log_file);
    assert_cannot_begin(&supervisor, settings->cache);
    assert_logged(state, settings->cache, 1);
    run(*state, "rm cache");
    supervisor.state->layout++;
    assert_cannot_begin(&supervisor, "the mount's state has layout");
    supervisor.state->layout--;
    supervisor_close(&supervisor);
}

/* What `mount` is given must be right; but a later worker must begin, whatever has become of it: everybody waits for it. */
static void test_only_a_first_worker_refuses_a_list(void **state)
{
    struct supervisor supervisor;

    run(*state, "printf './repo?tag=1\n./repo?none=1\n' >some.list");
    supervisor_open(&supervisor, state, "./some.list");
    assert_cannot_begin(&supervisor, "some.list:2");
    assert_logged(state, "some.list:2", 1);
    supervisor.state->answers = 1;
    begin(&supervisor);
    assert_non_null(strstr(text_of(&supervisor, ".startpointfs/status.json"), "some.list:2"));
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    supervisor_close(&supervisor);
}

/* Until the kernel is told that the attributes and bytes of that node are others now. */
static void wait_for_change(struct supervisor *supervisor, uint64_t node)
{
    do
        hear(&supervisor->kernel);
    while (supervisor->kernel.said.header.error != FUSE_NOTIFY_INVAL_INODE ||
           supervisor->kernel.said.inval.ino != node);
}

static void test_a_list_that_changes(void **state)
{
    struct supervisor supervisor;

    run(*state, "echo './repo?tag=1' >some.list");
    supervisor_open(&supervisor, state, "./some.list");
    begin(&supervisor);
    assert_int_equal(look(&supervisor.kernel, FUSE_ROOT_ID, "other"), -ENOENT);
    run(*state, "echo './repo?name=other&tag=1' >>some.list");
    wait_for_change(&supervisor, FUSE_ROOT_ID);
    assert_int_equal(hear_worker(&supervisor), 'l');
    look_along(&supervisor.kernel, "other");
    assert_int_equal(kill(supervisor.worker, SIGHUP), 0);
    assert_int_equal(hear_worker(&supervisor), 'l');
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    supervisor_close(&supervisor);
}

static void test_the_files_of_a_set(void **state)
{
    struct supervisor supervisor;
    char shas[200];

    supervisor_open(&supervisor, state, NULL);
    run(*state, "printf '# startpointfs set\n# type: exercises\n%%s/repo?tag=1\n' $PWD >sets/pp");
    begin(&supervisor);
    snprintf(shas, sizeof shas, "%s",
             output(*state, "printf '0 \t %%s \t %%s/repo?tag=1' $(git -C repo rev-parse 1) $PWD"));
    const char *text = text_of(&supervisor, ".startpointfs/sets/pp/shas.txt");
    if (strncmp(text, shas, strlen(shas)) != 0)
        fail_msg("%s, not %s", text, shas);
    assert_string_equal(text_of(&supervisor, ".startpointfs/sets/pp/image.type"), "exercises");
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    supervisor_close(&supervisor);
}

/* A certificate has been renewed, say: what this worker may not open is for the next. */
static void test_a_fetch_looks_for_what_is_new(void **state)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    struct supervisor supervisor;
    char name[20];
    int status, tries = 0;

    supervisor_open(&supervisor, state, "./repo?tag=1");
    run(*state, "mkdir new; echo y >new/needed");
    begin(&supervisor);
    uint64_t repo = look_along(&supervisor.kernel, "repo");
    snprintf(supervisor.needed, 200, "%s/new/needed", ((struct sandbox *)*state)->folder);
    while (waitpid(supervisor.worker, &status, WNOHANG) == 0) {
        struct fuse_in_header header = {.opcode = FUSE_LOOKUP, .unique = 1000, .nodeid = repo};
        char message[100];
        assert_true(tries++ < 400);
        snprintf(name, sizeof name, "none-%d", tries); /* asks the remote, once a second */
        header.len = (uint32_t)(sizeof header + strlen(name) + 1);
        header.unique += (uint64_t)tries * 2;
        memcpy(message, &header, sizeof header);
        strcpy(message + sizeof header, name);
        send(supervisor.kernel.fd, message, header.len, MSG_DONTWAIT);
        nanosleep(&pause, NULL);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == WORKER_REPLACED);
    assert_logged(state, "new/needed is new: the next worker can open it", 1);
    supervisor_close(&supervisor);
}

/* A server that never says anything. Its port. */
static int be_silent(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && bind(fd, (const struct sockaddr *)&address, size) == 0 &&
                listen(fd, 5) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void test_a_server_that_says_nothing(void **state)
{
    struct supervisor supervisor;
    struct kernel *kernel = &supervisor.kernel;
    char source[100];
    int port, server = be_silent(&port);

    snprintf(source, sizeof source, "git://127.0.0.1:%d/silent?tag=1", port);
    supervisor_open(&supervisor, state, source);
    kernel->mounted.settings.timeout = 1;
    begin(&supervisor);
    int64_t began = clock_now();
    assert_int_equal(look(kernel, look_along(kernel, "silent/1"), "file"), -ETIMEDOUT);
    assert_in_range(clock_now() - began, 900, 10000);
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    supervisor_close(&supervisor);
    close(server);
}

/* A thread that hangs does not keep a worker. */
static void test_a_mount_ends_while_a_server_says_nothing(void **state)
{
    struct supervisor supervisor;
    struct kernel *kernel = &supervisor.kernel;
    char source[100];
    int port, server = be_silent(&port);

    snprintf(source, sizeof source, "git://127.0.0.1:%d/silent?tag=1", port);
    supervisor_open(&supervisor, state, source);
    begin(&supervisor);
    uint64_t version = look_along(kernel, "silent/1");
    struct {
        struct fuse_in_header header;
        char name[2];
    } message = {
        {.len = sizeof message.header + 2, .opcode = FUSE_LOOKUP, .unique = 100, .nodeid = version},
        "x"};
    assert_int_equal(send(kernel->fd, &message, message.header.len, 0), message.header.len);
    struct pollfd event = {.fd = server, .events = POLLIN};
    assert_int_equal(poll(&event, 1, 20000), 1);
    int64_t began = clock_now();
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    assert_in_range(clock_now() - began, 0, 15000);
    supervisor_close(&supervisor);
    close(server);
}

/* Its table is damaged: the log says where, and what to do. */
static void test_damage_is_said(void **state)
{
    struct supervisor supervisor;
    struct nodes *nodes;
    struct error e = {0};
    char says[100];
    const struct fuse_read_in read = {.size = 10};

    supervisor_open(&supervisor, state, "./repo?tag=1");
    begin(&supervisor);
    uint64_t folder = look_along(&supervisor.kernel, "repo/1/folder");
    uint64_t file = look_along(&supervisor.kernel, "repo/1/file");
    assert_int_equal(nodes_map(&nodes, supervisor.nodes_fd, &e), 0);
    ((struct node *)node_get(nodes, (uint32_t)file - 1))->checkout = UINT32_MAX - 10;
    node_publish_block(nodes, (uint32_t)folder - 1, UINT32_MAX / 4, 1);
    assert_int_equal(ask_for(&supervisor.kernel, FUSE_READ, file, &read, sizeof read), -EIO);
    assert_int_equal(ask_for(&supervisor.kernel, FUSE_LOOKUP, folder, "file", sizeof "file"), -EIO);
    nodes_unmap(nodes);
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    snprintf(says, sizeof says, "the node table is damaged at inode %u", (unsigned)file);
    assert_logged(state, says, 1);
    snprintf(says, sizeof says, "the node table is damaged at inode %u", (unsigned)folder);
    assert_logged(state, says, 1);
    supervisor_close(&supervisor);
}

static void test_damage_of_the_cache_is_said(void **state)
{
    struct supervisor supervisor;

    supervisor_open(&supervisor, state, "./repo?tag=1");
    begin(&supervisor);
    look_along(&supervisor.kernel, "repo/1/file");
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    run(*state, "for i in $(find cache -name '*.idx'); do chmod u+w $i; echo x >$i; done");
    supervisor.state->answers = 0;
    begin(&supervisor);
    assert_string_equal(text_of(&supervisor, "repo/1/folder/file"), "deep\n");
    assert_logged(state, "the index of a pack was damaged", 1);
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    supervisor_close(&supervisor);
}

static void test_a_worker_becomes_the_user_it_is_given(void **state)
{
    struct supervisor supervisor;

    if (geteuid() != 0)
        skip();
    run(*state, "chmod 755 .; git init -q repo; cd repo; git config --global safe.directory '*'");
    supervisor_open(&supervisor, state, "./repo?tag=1");
    supervisor.kernel.mounted.settings.user = strdup("54321:54322");
    supervisor.user = 54321;
    run(*state, "mkdir cache; chown 54321:54322 cache; touch worker.log; chmod 666 worker.log");
    begin(&supervisor);
    assert_int_equal(unmount(&supervisor), WORKER_UNMOUNTED);
    supervisor_close(&supervisor);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(test_a_worker_serves_until_the_mount_ends),
        TEST(test_a_worker_that_is_told_to_makes_room_for_the_next),
        TEST(test_the_rest_of_a_list_is_fetched_ahead),
        TEST(test_what_the_last_worker_died_of_is_counted),
        TEST(test_no_two_workers_serve_a_mount),
        TEST(test_what_a_worker_cannot_begin_without),
        TEST(test_only_a_first_worker_refuses_a_list),
        TEST(test_a_list_that_changes),
        TEST(test_the_files_of_a_set),
        TEST(test_a_fetch_looks_for_what_is_new),
        TEST(test_a_server_that_says_nothing),
        TEST(test_a_mount_ends_while_a_server_says_nothing),
        TEST(test_damage_is_said),
        TEST(test_damage_of_the_cache_is_said),
        TEST(test_a_worker_becomes_the_user_it_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
