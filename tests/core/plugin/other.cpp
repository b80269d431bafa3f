// Of another build, which had a function that this program lacks.
#include "core/plugin/entry.h"
#undef EDT_BUILD_IDENTITY
#define EDT_BUILD_IDENTITY \
  "0.0.9 (commit 0123456789ab, interface fedcba987654, Release, GNU 12.2.0)"

int function_of_another_build();

namespace {

int (*const kTable)() = function_of_another_build;

}  // namespace

EDT_PLUGIN(kTable)
