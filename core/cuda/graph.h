// CUDA graphs: the kernels of a stretch of work, captured from the backend's stream and launched in
// one call. Steps of the host cut a stretch into several graphs, between which they run.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/cuda/capturing.h"
#include "core/cuda/scratch.h"
#include "core/tensor/device.h"

namespace edt {

// From the construction to take(), or to the end of the scope when an exception passes, the stream
// keeps what this thread asks of it. Calls of other threads go on as they are (thread-local mode).
class StreamCapture {
 public:
  explicit StreamCapture(cudaStream_t stream);
  ~StreamCapture();
  StreamCapture(const StreamCapture&) = delete;
  StreamCapture& operator=(const StreamCapture&) = delete;

  struct Destroy {
    void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
  };
  using Captured = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, Destroy>;
  Captured take();

 private:
  cudaStream_t stream_;
  std::optional<CapturingThread> open_;
};

class CudaGraph final : public Graph {
 public:
  // Kernels work in `scratch`, whose addresses the graph keeps.
  CudaGraph(cudaStream_t stream, const CudaScratch& scratch);

  // Captures what `work` asks for, and asks for it.
  void capture(const std::function<void()>& work);
  // Called by the work that is captured.
  void host_step(std::function<void()> step);

  void replay() override;
  bool valid() const override { return generation_ == scratch_.generation(); }

 private:
  struct Destroy {
    void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
  };
  using Executable = std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, Destroy>;
  // Either of the two; kernels for the device, or a step of the host.
  struct Part {
    Executable kernels;
    std::function<void()> step;
  };
  void end_kernels();
  void run(const Part& part) const;

  cudaStream_t stream_;
  const CudaScratch& scratch_;
  std::int64_t generation_ = 0;
  std::vector<Part> parts_;
  std::optional<StreamCapture> open_;
};

}  // namespace edt
