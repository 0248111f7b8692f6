/* PhantomJS 1.9 opens whatever libssl there is, and crashes in a new one. With this loaded first it finds none. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

void *dlopen(const char *file, int flags)
{
    void *(*real)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    if (file != NULL && (strstr(file, "libssl") != NULL || strstr(file, "libcrypto") != NULL))
        return NULL;
    return real(file, flags);
}
