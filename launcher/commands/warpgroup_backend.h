// The backend whose attention is that of Hopper's warpgroups, for `edt bench ops`, which times
// both.
#pragma once

#include <memory>

#include "core/ops/cases/op_case.h"
#include "launcher/device/device_options.h"

namespace edt {

// Takes the kernels of warpgroups for all of the case's attention that they can do, whether they
// are faster or not; null where they can do none of it, as on every other device.
std::unique_ptr<Backend> make_warpgroup_backend(const DeviceOptions& device, const OpCase& op_case,
                                                DType dtype, Communicator& world);

}  // namespace edt
