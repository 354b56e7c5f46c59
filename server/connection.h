/* connection.h - one client connection and its own deadlines.
 *
 * The library's timeout is for silence only; a byte now and then would hold a connection for ever.
 * On expiry a request that is still being read is told so, the socket is shut down, and the library
 * cleans up. Loop's thread; may be called from
 * the library's callbacks. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "server/http.h"

#include <sys/socket.h>

enum connection_phase {
    CONNECTION_IDLE,    /* between two requests: 30 s */
    CONNECTION_HEAD,    /* request line and headers: 10 s */
    CONNECTION_BODY,    /* 30 s, and 1 KiB/s after 5 s */
    CONNECTION_WORKING, /* no limit but the work's own */
    CONNECTION_SENDING  /* 60 s */
};

struct connection {
    struct http *http;
    uv_timer_t timer;
    int descriptor;
    enum connection_phase phase;
    uint64_t phase_began_ns;
    size_t body_bytes; /* read in this phase */
    struct sockaddr_storage address;
    struct exchange *exchange; /* opened and not completed yet, or NULL */
    struct connection *next, *previous;
};

/* For MHD_OPTION_NOTIFY_CONNECTION; `http` is the context. */
void connection_notify(void *http, struct MHD_Connection *mhd, void **socket_context,
                       enum MHD_ConnectionNotificationCode code);

/* For MHD_start_daemon: refuses the surplus of one address when --connections-per-ip says so. */
enum MHD_Result connection_admit(void *http, const struct sockaddr *address, socklen_t size);

/* The connection that a request came by. */
struct connection *connection_of(struct MHD_Connection *mhd);

void connection_enter(struct connection *connection, enum connection_phase phase);

#endif
