// LD_PRELOAD shim: keeps each of llama.cpp's threads on a core of its own. On small virtual machines the kernel often puts two of them
// on one core, which costs it a factor of three; a fair comparison is with the peer at its best.
// Build: gcc -O2 -shared -fPIC -o pin.so pin.c -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

typedef int (*create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static void keep_on(pthread_t thread, int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  pthread_setaffinity_np(thread, sizeof set, &set);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  static create_fn real;
  static int workers;
  if (!real) real = (create_fn)dlsym(RTLD_NEXT, "pthread_create");
  int result = real(thread, attributes, start, argument);
  Dl_info info;
  if (result == 0 && dladdr((void *)start, &info) && info.dli_fname && strstr(info.dli_fname, "libggml")) {
    int others = (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;
    keep_on(pthread_self(), 0); // the thread that starts the others computes too
    keep_on(*thread, others > 0 ? 1 + workers++ % others : 0);
  }
  return result;
}
