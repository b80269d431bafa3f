#include "core/plugin/entry.h"

namespace {

constexpr int kTable = 42;

}  // namespace

EDT_PLUGIN(kTable)
