// The streams of the emulated runtime. What a stream is asked for is done as late as it may be:
// when somebody waits for the stream, or for an event recorded on it. So work that nothing orders
// after what it needs finds it undone, and host memory that was changed too early is seen changed.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace edt::emulation {

void ask(cudaStream_t stream, std::function<void()> work);
// Of one stream, and of all.
void finish(cudaStream_t stream);
void finish_all();

}  // namespace edt::emulation
