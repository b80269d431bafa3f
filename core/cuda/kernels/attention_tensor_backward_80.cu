#include "core/cuda/kernels/attention_tensor_backward.cuh"

namespace edt {
template void launch_attention_backward<80>(cudaStream_t stream, const AttentionCall& call);
}
