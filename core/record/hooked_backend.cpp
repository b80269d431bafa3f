#include "core/record/hooked_backend.h"

#include <functional>
#include <utility>
#include <vector>

#include "core/ops/kernel_arguments.h"
#include "core/ops/kernel_list.h"
#include "core/ops/operands.h"
#include "core/record/kernel_outputs.h"
#include "core/tensor/wrapped_device.h"

namespace edt {
namespace {

// What a call is given: its arguments one by one, those that are read first.
class Operands {
 public:
  explicit Operands(std::size_t read) : left_to_read_(read) {}

  template <class Argument>
  void take(const Argument& argument) {
    std::vector<KernelOperand>& among = left_to_read_ > 0 ? read_ : written_;
    std::int64_t place = argument_++ * KernelOperand::kPlaces;
    add(argument, place, among);
    if (left_to_read_ > 0) --left_to_read_;
  }
  const std::vector<KernelOperand>& read() const { return read_; }
  const std::vector<KernelOperand>& written() const { return written_; }

 private:
  using All = std::vector<KernelOperand>;
  static void add(const Tensor& tensor, std::int64_t& place, All& all) {
    if (tensor.defined() && tensor.elements() > 0) all.push_back({place, tensor});
    ++place;
  }
  static void add(const GradTarget& target, std::int64_t& place, All& all) {
    add(target.tensor, place, all);
  }
  static void add(const Columns& columns, std::int64_t& place, All& all) {
    if (columns.tensor.defined()) {
      all.push_back({place, columns.tensor, columns.column, columns.width});
    }
    ++place;
  }
  // A struct of some, or no tensor at all.
  template <class Other>
  static void add(const Other& other, std::int64_t& place, All& all) {
    if constexpr (HasOperands<Other>) {
      for_each_operand(other, [&](const auto& one) { add(one, place, all); });
    }
  }

  std::size_t left_to_read_;
  std::int64_t argument_ = 0;
  All read_, written_;
};

// What a device does is passed on as it is; kernels of pictures, which no step calls, too.
class PassingBackend : public Backend, public WrappedDevice {
 public:
  using T = const Tensor&;

  PassingBackend(Backend& backend, std::unique_ptr<KernelHook> hook)
      : backend_(backend), hook_(std::move(hook)) {}

  Device& wrapped() const override { return backend_; }

  std::string_view name() const override { return backend_.name(); }
  Memory& memory() override { return backend_.memory(); }
  void zero(T tensor) override { backend_.zero(tensor); }
  void fill(T tensor, double value) override { backend_.fill(tensor, value); }
  void copy(T from, T to) override { backend_.copy(from, to); }
  void add_into(T from, T to) override { backend_.add_into(from, to); }
  void fold(std::span<const Tensor> sums, T last) override { backend_.fold(sums, last); }
  void upload(const void* host, T to) override { backend_.upload(host, to); }
  void download(T from, void* host) override { backend_.download(from, host); }
  void send(const void* host, T to) override { backend_.send(host, to); }
  bool in_host_memory() const override { return backend_.in_host_memory(); }
  Memory& staging() override { return backend_.staging(); }
  void synchronize() override { backend_.synchronize(); }
  double seconds_of(const std::function<void()>& work) override {
    return backend_.seconds_of(work);
  }
  std::unique_ptr<Device> new_stream() override { return backend_.new_stream(); }
  Event record() override { return backend_.record(); }
  void wait(const Event& event) override { backend_.wait(event); }
  void finish(const Event& event) override { backend_.finish(event); }
  std::unique_ptr<Graph> capture(const std::function<void()>& work) override {
    return backend_.capture(work);
  }
  void host_step(std::function<void()> step) override { backend_.host_step(std::move(step)); }

  std::unique_ptr<MatmulCeiling> matmul_ceiling(const std::vector<MatmulForm>& forms,
                                                DType dtype) override {
    return backend_.matmul_ceiling(forms, dtype);
  }
  std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config) override {
    return hook_->around(backend_.make_optimizer(config));
  }
  std::unique_ptr<PackedConvolution> pack_convolution(const ConvolutionForm& form,
                                                      std::span<const float> weight,
                                                      std::span<const float> bias,
                                                      DType dtype) override {
    return backend_.pack_convolution(form, weight, bias, dtype);
  }

  // One by one, to the same bits, so that each is called.
  void linears_forward(T x, std::span<const LinearMap> maps) override {
    if (hook_->listens()) return LinearKernels::linears_forward(x, maps);
    backend_.linears_forward(x, maps);
  }

 protected:
  // Calls `Method`, whose last `kWritten` arguments are written.
  template <auto Method, std::size_t kWritten, class... Args>
  void pass(std::string_view kernel, const Args&... args) {
    constexpr std::size_t kArguments = sizeof...(Args);
    static_assert(kWritten >= 1 && kWritten < kArguments);
    if (!listens()) return (backend_.*Method)(args...);
    Operands operands(kArguments - kWritten);
    (operands.take(args), ...);
    auto run = [&] { (backend_.*Method)(args...); };
    hook_->call(kernel, operands.read(), operands.written(), KernelRun(run));
  }

  bool listens() const { return hook_->listens(); }

  Backend& backend_;

 private:
  std::unique_ptr<KernelHook> hook_;
};

class HookedBackend final : public PassingBackend {
 public:
  using PassingBackend::PassingBackend;
  using G = kernel_list::G;
  using C = kernel_list::C;
  using Visible = kernel_list::Visible;
  using Grid = kernel_list::Grid;
  using How = kernel_list::How;
  using Int = kernel_list::Int;

#define EDT_HOOKED(family, bound, kernel, ...)                                      \
  void kernel(EDT_NAMED(__VA_ARGS__)) override {                                    \
    pass<&family::kernel, kernel_outputs::kernel>(#kernel, EDT_NAMES(__VA_ARGS__)); \
  }
  EDT_KERNELS(EDT_HOOKED)
#undef EDT_HOOKED
// Where each kernel is listened to, those that the compound ones stand for.
#define EDT_APART(family, bound, kernel, ...)                      \
  void kernel(EDT_NAMED(__VA_ARGS__)) override {                   \
    if (listens()) return Backend::kernel(EDT_NAMES(__VA_ARGS__)); \
    backend_.kernel(EDT_NAMES(__VA_ARGS__));                       \
  }
  EDT_COMPOUND_KERNELS(EDT_APART)
#undef EDT_APART
#define EDT_PASSED(family, bound, kernel, ...) \
  void kernel(EDT_NAMED(__VA_ARGS__)) override { backend_.kernel(EDT_NAMES(__VA_ARGS__)); }
  EDT_PICTURE_KERNELS(EDT_PASSED)
#undef EDT_PASSED
};

}  // namespace

std::unique_ptr<Backend> make_hooked_backend(Backend& backend, std::unique_ptr<KernelHook> hook) {
  return std::make_unique<HookedBackend>(backend, std::move(hook));
}

}  // namespace edt
