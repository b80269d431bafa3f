// Where the project was built without NCCL, the tensors of GPUs travel through host memory.
#include "parallel/device_communicator.h"

namespace edt {

std::unique_ptr<Communicator> communicator_for(Device& device, Communicator& ranks,
                                               std::string_view label) {
  auto same = ranks.split(0, ranks.rank(), label);
  if (device.in_host_memory()) return same;
  return make_staged_communicator(device, std::move(same));
}

}  // namespace edt
