/*
 * notify.h - tell the service manager (sd_notify protocol: one datagram to $NOTIFY_SOCKET).  Two messages are all we
 * send, so libsystemd is not linked for them.
 */
#ifndef CREEL_CREELD_NOTIFY_H
#define CREEL_CREELD_NOTIFY_H

void notify_ready(void);
void notify_stopping(void);

#endif
