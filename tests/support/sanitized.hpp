// Whether this test was built with AddressSanitizer, which takes memory and time of its own.
#pragma once

#if defined(__has_feature)  // clang's
#define SOLOPO_TEST_SANITIZED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SOLOPO_TEST_SANITIZED 1
#else
#define SOLOPO_TEST_SANITIZED 0
#endif
