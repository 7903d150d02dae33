/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */

/*
 * Preloaded into a server under test: records in one log, in order, what is written to files below a
 * "store" folder, what is synced, and what is sent on sockets. From the log a test rebuilds the disk
 * as a power cut would have left it at any moment. A write stands in the log before it is made, a sync
 * after it is done and before its caller knows, a reply before it is sent: so the log never shows
 * more as safe than was.
 *
 * A record: kind (1 octet), file number (1), offset (8), length (4), then as many octets of data.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS = 65536, FILES = 250, REPLY_MAX = 128 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static uint8_t file_of[FDS]; /* 0: none of ours */
static char *names[FILES];
static unsigned n_files = 1;

#define REAL(name)                                                                                 \
	static __typeof__(&name) real;                                                             \
	if (!real)                                                                                 \
		real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("SIGNET_POWERCUT_LOG");

	if (path)
		log_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
}

static void record(char kind, unsigned file, int64_t offset, const void *data, size_t n)
{
	uint8_t head[14] = { (uint8_t)kind, (uint8_t)file };
	uint32_t length = (uint32_t)n;
	struct iovec iov[] = { { head, sizeof head }, { (void *)(uintptr_t)data, n } };

	if (log_fd < 0)
		return;
	memcpy(head + 2, &offset, 8);
	memcpy(head + 10, &length, 4);
	pthread_mutex_lock(&lock);
	if (writev(log_fd, iov, 2) != (ssize_t)(sizeof head + n))
		abort();
	pthread_mutex_unlock(&lock);
}

static void opened(int fd, const char *path)
{
	unsigned file = 1;

	if (fd < 0 || fd >= FDS || log_fd < 0 || !strstr(path, "/store/") || strstr(path, "-shm"))
		return;
	pthread_mutex_lock(&lock);
	while (file < n_files && strcmp(names[file], path) != 0)
		file++;
	if (file == n_files) {
		names[file] = strdup(path);
		n_files++;
	}
	file_of[fd] = (uint8_t)file;
	pthread_mutex_unlock(&lock);
	record('O', file, 0, path, strlen(path));
}

#define OPEN(name)                                                                                 \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		REAL(name);                                                                        \
		mode_t mode = 0;                                                                   \
		va_list ap;                                                                        \
		int fd;                                                                            \
                                                                                                   \
		if (flags & O_CREAT) {                                                             \
			va_start(ap, flags);                                                       \
			mode = va_arg(ap, mode_t);                                                 \
			va_end(ap);                                                                \
		}                                                                                  \
		fd = real(path, flags, mode);                                                      \
		opened(fd, path);                                                                  \
		return fd;                                                                         \
	}
OPEN(open)
OPEN(open64)

int close(int fd)
{
	REAL(close);
	if (fd >= 0 && fd < FDS)
		file_of[fd] = 0;
	return real(fd);
}

static unsigned ours(int fd)
{
	return fd >= 0 && fd < FDS ? file_of[fd] : 0;
}

#define PWRITE(name, offset_type)                                                                  \
	ssize_t name(int fd, const void *data, size_t n, offset_type offset)                       \
	{                                                                                          \
		REAL(name);                                                                        \
		if (ours(fd))                                                                      \
			record('W', ours(fd), offset, data, n);                                    \
		return real(fd, data, n, offset);                                                  \
	}
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE(name, offset_type)                                                                \
	int name(int fd, offset_type size)                                                         \
	{                                                                                          \
		REAL(name);                                                                        \
		if (ours(fd))                                                                      \
			record('T', ours(fd), size, NULL, 0);                                      \
		return real(fd, size);                                                             \
	}
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name)                                                                                 \
	int name(int fd)                                                                           \
	{                                                                                          \
		REAL(name);                                                                        \
		int r = real(fd);                                                                  \
                                                                                                   \
		if (r == 0 && ours(fd))                                                            \
			record('S', ours(fd), 0, NULL, 0);                                         \
		return r;                                                                          \
	}
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path)
{
	REAL(unlink);
	for (unsigned file = 1; file < n_files; file++) {
		if (strcmp(names[file], path) == 0)
			record('U', file, 0, NULL, 0);
	}
	return real(path);
}

static void replied(int fd, const void *data, size_t n)
{
	struct stat st;

	if (log_fd < 0 || fd == log_fd || fstat(fd, &st) || !S_ISSOCK(st.st_mode))
		return;
	record('R', 0, fd, data, n < REPLY_MAX ? n : REPLY_MAX);
}

ssize_t write(int fd, const void *data, size_t n)
{
	REAL(write);
	if (ours(fd))
		record('W', ours(fd), lseek(fd, 0, SEEK_CUR), data, n);
	else
		replied(fd, data, n);
	return real(fd, data, n);
}

ssize_t send(int fd, const void *data, size_t n, int flags)
{
	REAL(send);
	replied(fd, data, n);
	return real(fd, data, n, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	REAL(sendmsg);
	if (message->msg_iovlen)
		replied(fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len);
	return real(fd, message, flags);
}
