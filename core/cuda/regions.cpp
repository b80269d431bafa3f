#include "core/ops/regions.h"

#include "core/cuda/backend.h"
#include "core/cuda/kernels/regions.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

RegionCall region_call(std::string_view op, const Tensor& joined, std::int64_t ratio,
                       std::int64_t run, const Tensor& a, const Tensor& b) {
  require<NotImplemented>(joined.elements() < (std::int64_t{1} << 31), "cuda",
                          "{}: {} elements in one call, fewer than 2^31 are needed", op,
                          joined.elements());
  EDT_ASSERT((!a.defined() || a.dtype == joined.dtype) &&
             (!b.defined() || b.dtype == joined.dtype));
  const std::int64_t tokens = joined.shape[1];
  return {.dtype = element_of(joined),
          .rows = joined.shape[0],
          .tokens = tokens,
          .width = joined.shape[2],
          .ratio = ratio,
          .run = run,
          .first = a.defined() ? a.shape[1] / ratio : tokens - b.shape[1] / ratio,
          .joined = joined.data,
          .streams = {a.data, b.data}};
}

}  // namespace

void CudaBackend::join_tokens(T a, T b, Int ratio, Int run, G joined) {
  RegionCall call = region_call("join_tokens", joined.tensor, ratio, run, a, b);
  call.accumulate[0] = joined.accumulate;
  launch_join_tokens(stream(), call);
}

void CudaBackend::split_tokens(T joined, Int ratio, Int run, G a, G b) {
  if (!a.wanted() && !b.wanted()) return;
  RegionCall call = region_call("split_tokens", joined, ratio, run, a.tensor, b.tensor);
  call.accumulate[0] = a.accumulate;
  call.accumulate[1] = b.accumulate;
  launch_split_tokens(stream(), call);
}

}  // namespace edt
