#include "core/cuda/tensor_map.h"

#include <cuda_runtime_api.h>

#include "core/base/error.h"
#include "core/cuda/error.h"

namespace edt {
namespace {

constexpr const char* kEncodeTiled = "cuTensorMapEncodeTiled";

// The driver is not linked: a program starts without one, and says so.
auto encode_tiled() {
  static const auto function = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result{};
#if CUDART_VERSION >= 12050
    check_cuda(
        cudaGetDriverEntryPointByVersion(kEncodeTiled, &found, 12000, cudaEnableDefault, &result),
        "asking the driver for maps of matrices");
#else
    check_cuda(cudaGetDriverEntryPoint(kEncodeTiled, &found, cudaEnableDefault, &result),
               "asking the driver for maps of matrices");
#endif
    require<CudaError>(result == cudaDriverEntryPointSuccess && found != nullptr, "cuda",
                       "the driver has no {}", kEncodeTiled);
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(found);
  }();
  return function;
}

}  // namespace

CUtensorMap map_of(const MappedMatrix& m) {
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(m.columns), static_cast<cuuint64_t>(m.rows)};
  const cuuint64_t strides[] = {sizes[0] * 2};
  const cuuint32_t box[] = {static_cast<cuuint32_t>(m.box_columns),
                            static_cast<cuuint32_t>(m.box_rows)};
  const cuuint32_t every[] = {1, 1};
  CUtensorMap map;
  const CUresult result =
      encode_tiled()(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<void*>(m.data), sizes,
                     strides, box, every, CU_TENSOR_MAP_INTERLEAVE_NONE, m.swizzle,
                     CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  require<CudaError>(result == CUDA_SUCCESS, "cuda",
                     "the driver maps no [{}, {}] matrix in boxes of [{}, {}] (CUresult {})",
                     m.rows, m.columns, m.box_rows, m.box_columns, static_cast<int>(result));
  return map;
}

}  // namespace edt
