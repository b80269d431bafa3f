// Spans (core/base/span.h) as NVTX ranges, which Nsight Systems shows above the kernels they
// launch.
#pragma once

namespace edt {

// From the first call on; costs next to nothing where no tool listens.
void mark_spans_with_nvtx();

}  // namespace edt
