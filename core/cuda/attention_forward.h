// Attention's forward pass by one of its kernels: for all GPUs on the tensor cores or without, or
// that of Hopper's warpgroups. The last two round differently, so a run takes it only where timing
// has chosen it on such a GPU, and compared its values (`edt tune`).
#pragma once

#include <map>

#include "core/cuda/context.h"
#include "core/cuda/cuda_backend.h"
#include "core/cuda/kernels/attention_warpgroup.h"
#include "core/cuda/scratch.h"

namespace edt {

// Whether the tensor-core kernels take the call on a GPU whose blocks may have `room` bytes of
// shared memory.
bool on_tensor_cores(const AttentionCall& call, int room);

// Of the call's qkv. Throws CudaError where the driver refuses.
QkvMaps map_qkv(const AttentionCall& call);

class CudaAttention {
 public:
  CudaAttention(const CudaContext& context, CudaScratch& scratch, const CudaOptions& options)
      : context_(context),
        scratch_(scratch),
        given_(options.gemms.attentions),
        source_(options.gemms.source),
        tuning_(options.tuning) {}

  // Throws CudaError where the kernel that is given for the call is not there.
  void forward(const AttentionCall& call);

 private:
  bool takes_warpgroups(const AttentionCall& call);
  bool have_warpgroups();
  TunedAttention compare(const AttentionCall& call);

  const CudaContext& context_;
  CudaScratch& scratch_;
  TunedAttentions given_;
  std::string source_;
  GemmTuning* tuning_;
  int have_warpgroups_ = -1;  // not known yet
};

}  // namespace edt
