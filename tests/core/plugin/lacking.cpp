#include "core/plugin/entry.h"

int function_of_an_absent_library();

namespace {

int (*const kTable)() = function_of_an_absent_library;

}  // namespace

EDT_PLUGIN(kTable)
