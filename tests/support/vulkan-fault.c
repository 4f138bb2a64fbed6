// A Vulkan driver around another one (TRIMTAB_FAULT_DRIVER) that fails as a GPU does, when the file TRIMTAB_FAULT_FILE appears:
// "lost": the next submission says that the device is lost, once. "full": no memory is to be had as long as the file is there.
// Compiled and loaded by tests/gpu/faults.test.ts.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUT_OF_DEVICE_MEMORY = -2, LOST = -4 };

typedef void (*Function)(void);
typedef Function (*Lookup)(void *, const char *);

static Lookup instanceLookup, physicalLookup, deviceLookup;
static int32_t (*negotiate)(uint32_t *);
static int32_t (*allocate)(void *, const void *, const void *, uint64_t *);
static int32_t (*submit)(void *, uint32_t, const void *, uint64_t);

static void load(void) {
  if (instanceLookup) return;
  void *driver = dlopen(getenv("TRIMTAB_FAULT_DRIVER"), RTLD_NOW | RTLD_LOCAL);
  if (!driver) {
    fprintf(stderr, "%s\n", dlerror());
    abort();
  }
  instanceLookup = (Lookup)dlsym(driver, "vk_icdGetInstanceProcAddr");
  physicalLookup = (Lookup)dlsym(driver, "vk_icdGetPhysicalDeviceProcAddr");
  negotiate = (int32_t (*)(uint32_t *))dlsym(driver, "vk_icdNegotiateLoaderICDInterfaceVersion");
}

static int isAsked(const char *kind) {
  FILE *file = fopen(getenv("TRIMTAB_FAULT_FILE"), "r");
  char said[16] = {0};
  if (!file) return 0;
  if (!fgets(said, sizeof said, file)) said[0] = 0;
  fclose(file);
  return strcmp(said, kind) == 0;
}

static int32_t failingSubmit(void *queue, uint32_t count, const void *submits, uint64_t fence) {
  if (isAsked("lost") && unlink(getenv("TRIMTAB_FAULT_FILE")) == 0) return LOST;
  return submit(queue, count, submits, fence);
}

static int32_t failingAllocate(void *device, const void *info, const void *callbacks, uint64_t *memory) {
  return isAsked("full") ? OUT_OF_DEVICE_MEMORY : allocate(device, info, callbacks, memory);
}

static Function lookUpOfDevice(void *device, const char *name);

static Function wrapped(const char *name, Function real) {
  if (!real) return real;
  if (!strcmp(name, "vkGetDeviceProcAddr")) return deviceLookup = (Lookup)real, (Function)lookUpOfDevice;
  if (!strcmp(name, "vkQueueSubmit")) return submit = (void *)real, (Function)failingSubmit;
  if (!strcmp(name, "vkAllocateMemory")) return allocate = (void *)real, (Function)failingAllocate;
  return real;
}

static Function lookUpOfDevice(void *device, const char *name) { return wrapped(name, deviceLookup(device, name)); }

Function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
  load();
  return wrapped(name, instanceLookup(instance, name));
}

Function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
  load();
  return physicalLookup ? physicalLookup(instance, name) : 0;
}

int32_t vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
  load();
  return negotiate(version);
}
