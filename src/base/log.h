/*
 * log.h - what a program tells its operator, on stderr, one line a message.
 *
 * Lines start with the systemd priority prefix (<3> to <7>) when stderr is the journal's, else with a UTC time
 * and the level's name.  Text from outside is escaped.  Only programs log; libraries return errors.
 *   log_error    an operation failed and something is affected; says what happens next
 *   log_warn     something is off, and creel goes on
 *   log_info     what an operator wants to have seen
 *   log_debug    for the people who maintain creel; shown with --verbose
 */
#ifndef CREEL_BASE_LOG_H
#define CREEL_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_open(const char *program, enum log_level most);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
