#include "core/record/recorded_backend.h"

#include <utility>

#include "core/record/hooked_backend.h"
#include "core/record/operand.h"
#include "core/record/recorded_optimizer.h"

namespace edt {
namespace {

class KernelRecorder final : public KernelHook {
 public:
  KernelRecorder(Device& device, CallRecorder& recorder)
      : device_(device), recorder_(recorder), contents_(device) {}

  bool listens() const override { return recorder_.records_kernels(); }

  void call(std::string_view kernel, std::span<const KernelOperand> read,
            std::span<const KernelOperand> written, const KernelRun& run) override {
    RecordedCall call = recorder_.begin_kernel(kernel, parameter_of(read, written));
    for (const KernelOperand& one : read) see(call, one, call.in);
    run();
    for (const KernelOperand& one : written) see(call, one, call.out);
    recorder_.finish(std::move(call));
  }

  std::unique_ptr<Optimizer> around(std::unique_ptr<Optimizer> optimizer) override {
    return make_recorded_optimizer(std::move(optimizer), device_, recorder_);
  }

 private:
  void see(const RecordedCall& call, const KernelOperand& operand,
           std::vector<RecordedTensor>& among) {
    const HostContent content = contents_.of(operand);
    recorder_.see(call,
                  {.place = operand.place,
                   .name = name_at(operand.tensor.data),
                   .shape = content.shape,
                   .dtype = content.dtype},
                  content.bytes, among);
  }

  std::string name_at(const void* data) const {
    if (const Parameter* one = recorder_.parameter_at(data)) return one->name;
    if (const Parameter* one = recorder_.gradient_at(data)) return "gradient of " + one->name;
    return {};
  }

  // The first that is read, or whose gradient is written; empty: neither.
  std::string parameter_of(std::span<const KernelOperand> read,
                           std::span<const KernelOperand> written) const {
    for (const KernelOperand& one : read) {
      if (const Parameter* found = recorder_.parameter_at(one.tensor.data)) return found->name;
    }
    for (const KernelOperand& one : written) {
      if (const Parameter* found = recorder_.gradient_at(one.tensor.data)) return found->name;
    }
    return {};
  }

  Device& device_;
  CallRecorder& recorder_;
  HostContents contents_;
};

}  // namespace

std::unique_ptr<Backend> make_recorded_backend(Backend& backend, CallRecorder& recorder) {
  return make_hooked_backend(backend, std::make_unique<KernelRecorder>(backend, recorder));
}

}  // namespace edt
