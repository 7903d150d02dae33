/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

#include "app/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct wire {
	uint32_t kind;
	uint32_t n_fds;
	union control_payload payload;
};

union ancillary {
	struct cmsghdr header;
	char space[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))];
};

static int wire_send(int control, struct wire *wire, const int *fds, size_t n_fds, int flags)
{
	struct iovec iov = { .iov_base = wire, .iov_len = sizeof *wire };
	union ancillary ancillary = {};
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > CONTROL_FDS_MAX)
		return err_fault(EINVAL, "too many descriptors");
	if (n_fds) {
		struct cmsghdr *c;

		message.msg_control = &ancillary;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	if (sendmsg(control, &message, MSG_NOSIGNAL | flags) != sizeof *wire)
		return err_fault(errno, "sendmsg");
	return 0;
}

int control_pair(int ret_pair[static 2])
{
	struct timeval limit = { .tv_sec = CONTROL_SEND_MS / 1000,
		.tv_usec = CONTROL_SEND_MS % 1000 * 1000 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_fault(errno, "socketpair");
	if (setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit)) {
		int error = errno;

		(void)close(pair[0]);
		(void)close(pair[1]);
		return err_fault(error, "SO_SNDTIMEO");
	}
	ret_pair[0] = pair[0];
	ret_pair[1] = pair[1];
	return 0;
}

int control_send(int control, enum control_kind kind, const int *fds, size_t n_fds)
{
	struct wire wire = { .kind = (uint32_t)kind, .n_fds = (uint32_t)n_fds };

	return wire_send(control, &wire, fds, n_fds, 0);
}

int control_tell(int control, enum control_kind kind, const union control_payload *payload)
{
	struct wire wire = { .kind = (uint32_t)kind, .payload = *payload };

	return wire_send(control, &wire, NULL, 0, MSG_DONTWAIT);
}

static void take_fds(struct msghdr *message, struct control_message *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		m->n_fds = (uint32_t)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(m->fds, CMSG_DATA(c), m->n_fds * sizeof(int));
	}
}

int control_receive(int control, struct control_message *ret_message)
{
	struct wire wire = {};
	struct iovec iov = { .iov_base = &wire, .iov_len = sizeof wire };
	union ancillary ancillary = {};
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &ancillary, .msg_controllen = sizeof ancillary };
	struct control_message m = {};
	ssize_t n;

	do
		n = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return CONTROL_E_END;
	if (n < 0)
		return err_fault(errno, "recvmsg");
	take_fds(&message, &m);
	m.kind = wire.kind;
	m.payload = wire.payload;
	if (n != sizeof wire || m.n_fds != wire.n_fds) {
		for (uint32_t i = 0; i < m.n_fds; i++)
			(void)close(m.fds[i]);
		return err_fault(EPROTO, "control message");
	}
	*ret_message = m;
	return 0;
}
