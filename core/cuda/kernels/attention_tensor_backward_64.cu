#include "core/cuda/kernels/attention_tensor_backward.cuh"

namespace edt {
template void launch_attention_backward<64>(cudaStream_t stream, const AttentionCall& call);
}
