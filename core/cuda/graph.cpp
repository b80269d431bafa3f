#include "core/cuda/graph.h"

#include <utility>

#include "core/cuda/backend.h"
#include "core/cuda/error.h"

namespace edt {

StreamCapture::StreamCapture(cudaStream_t stream) : stream_(stream) {
  check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
             "beginning a CUDA graph");
  open_.emplace();
}

StreamCapture::~StreamCapture() {
  if (!open_) return;
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(stream_, &graph);
  if (graph != nullptr) cudaGraphDestroy(graph);
  forget_error();  // why the capture has ended is on its way
}

StreamCapture::Captured StreamCapture::take() {
  cudaGraph_t graph = nullptr;
  const cudaError_t status = cudaStreamEndCapture(stream_, &graph);
  Captured captured(graph);
  const std::string refused = CapturingThread::refused_release();
  open_.reset();
  require<CudaError>(refused.empty(), "cuda", "{} within a CUDA graph", refused);
  check_cuda(status, "capturing a CUDA graph");
  return captured;
}

CudaGraph::CudaGraph(cudaStream_t stream, const CudaScratch& scratch)
    : stream_(stream), scratch_(scratch) {}

void CudaGraph::capture(const std::function<void()>& work) {
  generation_ = scratch_.generation();
  open_.emplace(stream_);
  work();
  end_kernels();
}

void CudaGraph::host_step(std::function<void()> step) {
  if (!open_) return step();  // one step within another
  end_kernels();
  parts_.push_back({.kernels = nullptr, .step = std::move(step)});
  run(parts_.back());
  open_.emplace(stream_);
}

void CudaGraph::end_kernels() {
  const StreamCapture::Captured captured = open_->take();
  open_.reset();
  std::size_t nodes = 0;
  check_cuda(cudaGraphGetNodes(captured.get(), nullptr, &nodes), "counting a CUDA graph's nodes");
  if (nodes == 0) return;
  cudaGraphExec_t executable = nullptr;
  check_cuda(cudaGraphInstantiate(&executable, captured.get(), 0), "preparing a CUDA graph");
  parts_.push_back({.kernels = Executable(executable), .step = {}});
  run(parts_.back());
}

void CudaGraph::run(const Part& part) const {
  if (part.step) return part.step();
  check_cuda(cudaGraphLaunch(part.kernels.get(), stream_), "launching a CUDA graph");
}

void CudaGraph::replay() {
  EDT_ASSERT(valid());
  for (const Part& part : parts_) run(part);
}

std::unique_ptr<Graph> CudaBackend::capture(const std::function<void()>& work) {
  EDT_ASSERT(capturing_ == nullptr);
  auto graph = std::make_unique<CudaGraph>(stream(), scratch_);
  struct Capturing {
    CudaGraph*& graph;
    ~Capturing() { graph = nullptr; }
  } const scope{capturing_ = graph.get()};
  graph->capture(work);
  return graph;
}

void CudaBackend::host_step(std::function<void()> step) {
  if (capturing_ == nullptr) return step();
  capturing_->host_step(std::move(step));
}

}  // namespace edt
