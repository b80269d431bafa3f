// A kernel that a backend does not override fails by name.
#include "core/ops/kernel_list.h"

namespace edt {

using namespace kernel_list;  // NOLINT(google-build-using-namespace): the list is written in them

#define EDT_LACKS(family, bound, kernel, ...) \
  void family::kernel(__VA_ARGS__) { lacks(#kernel); }
EDT_KERNELS(EDT_LACKS)
EDT_PICTURE_KERNELS(EDT_LACKS)
#undef EDT_LACKS

std::unique_ptr<PackedConvolution> ConvolutionKernels::pack_convolution(const ConvolutionForm&,
                                                                        std::span<const float>,
                                                                        std::span<const float>,
                                                                        DType) {
  lacks("pack_convolution");
}

}  // namespace edt
