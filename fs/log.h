/* log.h - one line an event, to whom it may concern.
 *
 * Where lines go: to the file of log_file=; else to stderr while the program is in the foreground,
 * with the time in front, or (under systemd, which sets JOURNAL_STREAM) with a priority prefix
 * (sd-daemon(3)); else, for a mount in the background, to syslog(3). A line is written with one
 * write(2), so that threads and processes don't mix. */
#ifndef FS_LOG_H
#define FS_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log;

/* file may be NULL. 0 or a negative errno (the file can't be opened). */
int log_open(struct log **out, enum log_level level, const char *file, int foreground);
void log_close(struct log *log);

/* printf-like; no newline at the end. log may be NULL: nothing is written. */
void log_error(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warning(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_debug(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "error", "warning", "info" or "debug". */
const char *log_level_name(enum log_level level);

/* Of a process that goes on in the background: its standard input, output and error go nowhere. */
void log_leave_terminal(void);

#endif
