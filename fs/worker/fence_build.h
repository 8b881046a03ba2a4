/* fence_build.h - whether this is a build with a sanitizer, whose checks need more than a worker does. */
#ifndef FS_WORKER_FENCE_BUILD_H
#define FS_WORKER_FENCE_BUILD_H

#ifdef __has_feature
#define FENCE_BUILD_FEATURES (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define FENCE_BUILD_FEATURES 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || FENCE_BUILD_FEATURES
#define FENCE_BUILD_SANITIZED 1
#else
#define FENCE_BUILD_SANITIZED 0
#endif

#endif
