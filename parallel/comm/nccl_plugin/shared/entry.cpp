#include "core/plugin/entry.h"
#include "parallel/comm/nccl_plugin/functions.h"

namespace edt {
namespace {

constexpr NcclFunctions kFunctions{communicator_for};

}  // namespace
}  // namespace edt

EDT_PLUGIN(edt::kFunctions)
