#include "core/plugin/entry.h"
#include "parallel/nccl_plugin/functions.h"

namespace edt {
namespace {

constexpr NcclFunctions kFunctions{communicator_for};

}  // namespace
}  // namespace edt

EDT_PLUGIN(edt::kFunctions)
