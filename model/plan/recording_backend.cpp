#include "model/plan/recording_backend.h"

#include <tuple>

#include "core/ops/kernel_arguments.h"
#include "core/ops/kernel_list.h"
#include "model/plan/kernel_gemms.h"
#include "model/plan/recording_optimizer.h"

namespace edt {
namespace {

double flops_of(const std::vector<MatmulForm>& gemms) {
  double sum = 0;
  for (const MatmulForm& form : gemms) sum += form.flops();
  return sum;
}

// An argument of a kernel as it is when its tensors lie elsewhere.
template <class T>
T relocated(T value, const Relocation& to) {
  if constexpr (std::is_same_v<T, Tensor>) {
    if (value.defined()) value.data = to(value.data);
  } else if constexpr (std::is_same_v<T, GradTarget> || std::is_same_v<T, Columns>) {
    value.tensor = relocated(value.tensor, to);
  } else if constexpr (HasOperands<T>) {
    for_each_operand(value, [&](auto& operand) { operand = relocated(operand, to); });
  }
  return value;
}

// The type that a kernel multiplies in: that of its first operand. Others are told apart by their
// operands alone.
DType gemm_type(const Tensor& first, const auto&...) { return first.dtype; }
DType gemm_type(const auto&...) { return DType::kFloat32; }

// Weights of a convolution in memory that is not there: as the processor's backend has them, 3x3
// kernels as 4x4 points, or as four of 2x2 where the picture is doubled; in bf16 some as 6x6 points
// of float32.
class PlannedConvolution final : public PackedConvolution {
 public:
  PlannedConvolution(const ConvolutionForm& form, DType dtype, Memory& memory)
      : PackedConvolution(form, dtype), weights_(memory, bytes_of(form, dtype)) {}

 private:
  static std::size_t bytes_of(const ConvolutionForm& form, DType dtype) {
    constexpr std::int64_t kMostInPoints = 512 * 256 * 9;  // of bf16: core/cpu/picture/winograd.cpp
    const auto weights = static_cast<std::size_t>(form.weights());
    const bool is_transformed =
        form.shape == KernelShape::kSquare && form.kernel == 3 && form.stride == 1;
    if (!is_transformed) return weights * size_of(dtype);
    const bool in_points =
        dtype == DType::kBFloat16 && !form.doubled && form.weights() <= kMostInPoints;
    return in_points ? weights * 4 * sizeof(float) : weights * size_of(dtype) * 16 / 9;
  }
  Block weights_;
};

// What a device does besides, and how a kernel is recorded. The kernels of pictures are not: of
// those memory alone is planned.
class RecordingDevice : public RecordingBackend {
 public:
  using T = const Tensor&;
  using Int = std::int64_t;

  explicit RecordingDevice(Recorder& recorder) : recorder_(recorder) {}

  std::string_view name() const override { return "plan"; }
  FakeMemory& memory() override { return memory_; }

#define EDT_NOTHING(family, bound, kernel, ...) \
  void kernel(__VA_ARGS__) override {}
  EDT_PICTURE_KERNELS(EDT_NOTHING)
#undef EDT_NOTHING
  std::unique_ptr<PackedConvolution> pack_convolution(const ConvolutionForm& form,
                                                      std::span<const float>,
                                                      std::span<const float>,
                                                      DType dtype) override {
    return std::make_unique<PlannedConvolution>(form, dtype, memory_);
  }

  // Records updates and norms.
  std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config) override {
    return std::make_unique<RecordingOptimizer>(edt::make_optimizer(config), recorder_);
  }

  void zero(T tensor) override { note<&Device::zero>("zero", KernelClass::kStream, tensor); }
  void fill(T tensor, double value) override {
    note<&Device::fill>("fill", KernelClass::kStream, tensor, value);
  }
  void copy(T from, T to) override { note<&Device::copy>("copy", KernelClass::kStream, from, to); }
  void add_into(T from, T to) override {
    note<&Device::add_into>("add_into", KernelClass::kRows, from, to);
  }
  void fold(std::span<const Tensor> sums, T last) override;
  // The host memory of these two may be gone when kernels run again.
  void upload(const void*, T to) override { note_transfer("upload", to); }
  void download(T from, void*) override { note_transfer("download", from); }
  void send(const void* host, T to) override {
    note<&Device::upload>("upload", KernelClass::kStream, host, to);
  }

 protected:
  // Records the call of `Method`, so that it can be made again on another backend.
  template <auto Method, class... Args>
  void note(std::string_view name, KernelClass kind, const Args&... args);

 private:
  void note_transfer(std::string_view name, T tensor) {
    KernelKey key;
    key.add(tensor);
    recorder_.kernel(name, KernelClass::kStream, DType::kFloat32, key);
  }

  Recorder& recorder_;
  FakeMemory memory_;
};

template <auto Method, class... Args>
void RecordingDevice::note(std::string_view name, KernelClass kind, const Args&... args) {
  if (!recorder_.recording()) return;
  KernelKey key;
  (key.add(args), ...);
  Replay replay;
  if (recorder_.keeps_replays()) {
    replay = [kept = std::tuple<Args...>(args...)](Backend& backend, const Relocation& to) {
      std::apply([&](const Args&... a) { (backend.*Method)(relocated(a, to)...); }, kept);
    };
  }
  const bool multiplies = kind == KernelClass::kMatrix || kind == KernelClass::kAttention;
  const DType dtype = multiplies ? gemm_type(args...) : DType::kFloat32;
  Kernel* const is_new = recorder_.kernel(name, kind, dtype, key, std::move(replay));
  if (is_new == nullptr) return;
  KernelGemms gemms = gemms_of(KernelTag<Method>{}, args...);
  is_new->flops = flops_of(gemms.counted) + flops_of(gemms.again);
  is_new->beside_bytes = gemms.beside_bytes;
  is_new->gemms = std::move(gemms.counted);
}

void RecordingDevice::fold(std::span<const Tensor> sums, T last) {
  if (!recorder_.recording()) return;
  KernelKey key;
  key.add(GradTarget{sums[0], true});
  for (const Tensor& sum : sums.subspan(1)) key.add(sum);
  key.add(last);
  Replay replay;
  if (recorder_.keeps_replays()) {
    replay = [kept = std::vector<Tensor>(sums.begin(), sums.end()), last](Backend& backend,
                                                                          const Relocation& to) {
      std::vector<Tensor> real;
      for (const Tensor& sum : kept) real.push_back(relocated(sum, to));
      backend.fold(real, relocated(last, to));
    };
  }
  recorder_.kernel("fold", KernelClass::kStream, DType::kFloat32, key, std::move(replay));
}

class RecordsAll final : public RecordingDevice {
 public:
  using RecordingDevice::RecordingDevice;
  using G = kernel_list::G;
  using C = kernel_list::C;
  using Visible = kernel_list::Visible;
  using Grid = kernel_list::Grid;
  using How = kernel_list::How;

#define EDT_RECORDED(family, bound, kernel, ...)                                \
  void kernel(EDT_NAMED(__VA_ARGS__)) override {                                \
    note<&family::kernel>(#kernel, KernelClass::bound, EDT_NAMES(__VA_ARGS__)); \
  }
  EDT_KERNELS(EDT_RECORDED)
  EDT_COMPOUND_KERNELS(EDT_RECORDED)
#undef EDT_RECORDED
};

}  // namespace

std::unique_ptr<RecordingBackend> make_recording_backend(Recorder& recorder) {
  return std::make_unique<RecordsAll>(recorder);
}

}  // namespace edt
