#include "launcher/device/device_options.h"

#include <omp.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/cpu/cpu_backend.h"
#include "core/reference/reference_backend.h"
#include "launcher/device/gemm_file.h"
#include "launcher/device/gpu_choice.h"
#include "launcher/machine/cores.h"

namespace edt {
namespace {

// All ranks have the same, whatever each would read.
TunedGemms shared_gemms(const std::filesystem::path& path, int device, Communicator& world) {
  if (path.empty()) return {};
  const std::string text = world.broadcast(world.is_root() ? read_gemm_file(path) : std::string(),
                                           0, "algorithms of products");
  GemmFile file = parse_gemm_file(text, path.string());
  require_gpu(file, cuda_gpu_type(device));
  return std::move(file.tuned);
}

// Far more threads than cores make no step fail, but hundreds of times as slow. Twice as many may
// be ranks that share a machine, or a test.
void warn_of_crowded_threads(const Communicator& world) {
  static bool is_said = false;
  const int threads = omp_get_max_threads();
  const double cores = usable_cores();
  if (is_said || !world.is_root() || threads <= 2 * std::max(1., cores)) return;
  is_said = true;
  log::warning("{}", crowded_threads(threads, cores));
}

// By the name that edt train has for it as well, whatever the prefix.
template <class T, class... More>
Option& declare_one(OptionSet& options, const std::string& prefix, const std::string& name,
                    T* field, More... more) {
  Option& option = options.add(prefix + name, field, std::move(more)...);
  return prefix == "run." ? option : option.alias("run." + name);
}

}  // namespace

void DeviceOptions::declare(OptionSet& options, const std::string& prefix) {
  declare_device(options, prefix);
  declare_one(
      options, prefix, "gemm-algos", &gemms,
      "algorithms of matrix products that `edt tune` has chosen for this type of GPU; those "
      "of other shapes are cuBLASLt's first suggestions")
      .used_when(prefix + "device", {"cuda"})
      .free_to_change()
      .absolute();
}

void DeviceOptions::declare_device(OptionSet& options, const std::string& prefix) {
  const std::vector<std::pair<std::string, DeviceKind>> kinds{
      {"cpu", DeviceKind::kCpu},
      {"cuda", DeviceKind::kCuda},
      {"reference", DeviceKind::kReference}};
  declare_one(options, prefix, "device", &kind, kinds,
              "what computes: the processor or a GPU; reference is slow and obvious, to check "
              "against")
      .free_to_change();
  const std::vector<std::pair<std::string, Binding>> bindings{{"numa", Binding::kMemoryDomains},
                                                              {"none", Binding::kAsStarted}};
  declare_one(options, prefix, "bind", &binding, bindings,
              "cores of the ranks of a node whose launcher has bound none of them: numa: of each "
              "those of its memory domain; none: as they were started")
      .used_when(prefix + "device", {"cpu", "reference"})
      .free_to_change();
  declare_one(options, prefix, "threads", &threads,
              "threads of this rank; 0: what the machine gives")
      .range(0, 4096)
      .free_to_change();
  declare_one(options, prefix, "tf32", &tf32,
              "float32 products with 10-bit mantissas on the GPU's tensor cores, as PyTorch's "
              "allow_tf32")
      .used_when(prefix + "device", {"cuda"});
  declare_one(
      options, prefix, "epilogues", &epilogues,
      "matrix products on the GPU take along biases, gelu and sums where cuBLASLt can; off: "
      "kernels do it, to compare")
      .used_when(prefix + "device", {"cuda"});
  declare_one(options, prefix, "programmatic-launch", &programmatic_launch,
              "kernels are set up while those before them end, from compute capability 9.0 on "
              "(programmatic dependent launch); the same bits")
      .used_when(prefix + "device", {"cuda"})
      .free_to_change();
  declare_one(options, prefix, "share-gpus", &share_gpus,
              "ranks may share a GPU: for tests; their tensors travel through host memory")
      .used_when(prefix + "device", {"cuda"})
      .free_to_change();
}

std::vector<NodePlacement> DeviceOptions::take_cores(Communicator& world) const {
  // Ranks with GPUs stay near those that they were given.
  return place_ranks(world, kind == DeviceKind::kCuda ? Binding::kAsStarted : binding);
}

void DeviceOptions::take_threads() const {
  if (threads > 0) omp_set_num_threads(threads);
}

CudaOptions DeviceOptions::cuda_options(Communicator& world) const {
  take_threads();
  return {.device = choose_gpu(world, share_gpus),
          .tf32 = tf32,
          .epilogues = epilogues,
          .programmatic_launch = programmatic_launch};
}

std::unique_ptr<Backend> DeviceOptions::make_backend(Communicator& world) const {
  (void)take_cores(world);
  take_threads();
  if (kind != DeviceKind::kCuda) warn_of_crowded_threads(world);
  switch (kind) {
    case DeviceKind::kCpu:
      return make_cpu_backend();
    case DeviceKind::kReference:
      return make_reference_backend();
    case DeviceKind::kCuda: {
      CudaOptions options = cuda_options(world);
      options.gemms = shared_gemms(gemms, options.device, world);
      return make_cuda_backend(options);
    }
  }
  EDT_ASSERT(false);
  return nullptr;
}

}  // namespace edt
