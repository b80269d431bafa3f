#include "device_ranks.h"

#include "core/cuda/cuda_backend.h"
#include "parallel/comm/device/device_communicator.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/core/cuda/emulation/runtime.h"

namespace edt::test {

Outcome train_on_gpus(const Setting& setting) {
  Outcome first;
  run_ranks(setting.ranks * setting.tensor_ranks, [&](Communicator& ranks) {
    emulation::set_gpu_place(setting.own_gpus ? ranks.rank() : 0);
    const auto gpu = make_cuda_backend();
    const int data_rank = ranks.rank() / setting.tensor_ranks;
    const int tensor_rank = ranks.rank() % setting.tensor_ranks;
    const auto data = ranks.split(tensor_rank, data_rank, "data");
    const auto tensor = ranks.split(data_rank, tensor_rank, "tensor");
    const auto tensors = communicator_for(*gpu, *tensor, "activations");
    const Outcome outcome = train(*gpu, *data, {tensor.get(), tensors.get()}, setting);
    if (ranks.is_root()) first = outcome;
  });
  return first;
}

}  // namespace edt::test
