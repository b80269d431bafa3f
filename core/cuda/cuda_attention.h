// Attention by one of its kernels each way: for all GPUs on the tensor cores or without, or those
// of Hopper's warpgroups. The last two round differently, so a run takes the latter only where
// timing has chosen them on such a GPU, and compared their values (`edt tune`).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/cuda/context.h"
#include "core/cuda/cuda_backend.h"
#include "core/cuda/kernels/attention_warpgroup.h"
#include "core/cuda/kernels/attention_warpgroup_backward.h"
#include "core/cuda/scratch.h"
#include "core/cuda/tensor_map.h"

namespace edt {

// Whether the tensor-core kernels take the call on a GPU whose blocks may have `room` bytes of
// shared memory.
bool on_tensor_cores(const AttentionCall& call, int room);

// A matrix with a row for each token, in boxes of a sample's tokens and 64 columns.
MappedMatrix in_boxes_of_64(const AttentionSizes& s, const void* data, std::int64_t columns);

// Of the call's qkv, and of its dout. Throw CudaError where the driver refuses.
QkvMaps map_qkv(const AttentionCall& call);
BackwardMaps map_backward(const AttentionCall& call);

class CudaAttention {
 public:
  CudaAttention(const CudaContext& context, CudaScratch& scratch, const CudaOptions& options)
      : context_(context),
        scratch_(scratch),
        given_(options.gemms.attentions),
        source_(options.gemms.source),
        tuning_(options.tuning) {}

  // Throw CudaError where the kernel that is given for the call is not there.
  void forward(const AttentionCall& call);
  // dqkv; the table's gradient where `dtable` has memory.
  void backward(AttentionCall call, const TableTarget& dtable);

 private:
  // Two ways to one result, and how far apart their values are.
  struct Comparison {
    std::function<void()> by_warps, by_groups;
    std::function<double()> difference;  // once both have run
  };

  // Of a call that the kernel of warpgroups takes, where there is one.
  bool takes_warpgroups(const AttentionKey& key, const std::function<Comparison()>& comparison);
  bool have_warpgroups();
  TunedAttention compare(const Comparison& ways);
  Comparison compare_forward(const AttentionCall& call);
  Comparison compare_backward(const AttentionCall& call);

  void backward_on_tensor_cores(const AttentionCall& call);
  template <class T>
  std::vector<T> read(const void* from, std::int64_t count);

  const CudaContext& context_;
  CudaScratch& scratch_;
  TunedAttentions given_;
  std::string source_;
  GemmTuning* tuning_;
  int have_warpgroups_ = -1;  // not known yet
};

}  // namespace edt
