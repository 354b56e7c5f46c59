/* listen.h - listening sockets, made by ourselves: TCP, dual stack, unix, handed over by systemd.
 *
 * Used at start and at the end, by the main thread. */
#ifndef LISTEN_H
#define LISTEN_H

#include "core/base/error.h"

struct listener {
    int descriptor;   /* non-blocking, listening; -1 when closed or handed over */
    bool is_loopback; /* only this machine reaches it; unix sockets too */
    char url[160];    /* "http://127.0.0.1:43210", "unix:/run/denoised.sock" */
    char path[108];   /* of a unix socket that we made and remove; "" otherwise */
};

/* `address`: HOST:PORT with an IPv4 literal or localhost, [V6]:PORT, or unix:/PATH. Reads it
 * without touching the network: is_loopback is set. INVALID. */
MUST_CHECK bool listen_parse(struct listener *listener, const char *address, struct error *error);

/* Binds. IO names the address and why: in use, not permitted. The path of a dead daemon's socket
 * is taken over. */
MUST_CHECK bool listen_open(struct listener *listener, const char *address, struct error *error);

/* Takes the index-th socket of LISTEN_FDS when there is one for us; false when there is none. */
bool listen_inherited(struct listener *listener, int index);

/* Removes a unix socket's path; closes the descriptor if it is still ours. */
void listen_close(struct listener *listener);

#endif
