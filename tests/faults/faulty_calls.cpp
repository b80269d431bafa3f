// The linker puts these functions in front of edt's own (--wrap), so that results of kernels and
// collectives, the order of samples and waits can go wrong as faults of a program would let them.
#include <memory>
#include <vector>

#include "core/record/hooked_backend.h"
#include "data/dataset.h"
#include "launcher/device/device_options.h"
#include "parallel/comm/mpi/mpi_session.h"
#include "parallel/zero/communication_queue.h"
#include "tests/faults/faults.h"
#include "tests/faults/faulty_communicator.h"

namespace edt::test {
namespace {

// One value of what the kernel has written is another.
class SpoilingHook final : public KernelHook {
 public:
  bool listens() const override { return true; }
  void call(std::string_view kernel, std::span<const KernelOperand>,
            std::span<const KernelOperand> written, const KernelRun& run) override {
    run();
    if (!call_goes_wrong(kernel)) return;
    const Tensor& result = written.front().tensor;
    if (result.dtype == DType::kFloat32) *static_cast<float*>(result.data) += 1;
  }
};

}  // namespace
}  // namespace edt::test

// The names are those of the compiler: a member function takes its object first.
#define EDT_MAKE_BACKEND "_ZNK3edt13DeviceOptions12make_backendERNS_12CommunicatorE"
#define EDT_MAKE_ORDER "_ZNK3edt4data7Dataset10make_orderERKNS0_12OrderOptionsE"
#define EDT_WORLD "_ZNK3edt10MpiSession5worldERKNS_16TransportOptionsE"
#define EDT_WAIT "_ZN3edt18CommunicationQueue4waitEm"

std::unique_ptr<edt::Backend> real_make_backend(
    const edt::DeviceOptions* options, edt::Communicator& world) asm("__real_" EDT_MAKE_BACKEND);
std::unique_ptr<edt::Backend> make_backend(
    const edt::DeviceOptions* options, edt::Communicator& world) asm("__wrap_" EDT_MAKE_BACKEND);
edt::data::SampleOrder real_make_order(
    const edt::data::Dataset* dataset,
    const edt::data::OrderOptions& options) asm("__real_" EDT_MAKE_ORDER);
edt::data::SampleOrder make_order(
    const edt::data::Dataset* dataset,
    const edt::data::OrderOptions& options) asm("__wrap_" EDT_MAKE_ORDER);
std::unique_ptr<edt::Communicator> real_world(
    const edt::MpiSession* session, const edt::TransportOptions& options) asm("__real_" EDT_WORLD);
std::unique_ptr<edt::Communicator> world(
    const edt::MpiSession* session, const edt::TransportOptions& options) asm("__wrap_" EDT_WORLD);
void real_wait(edt::CommunicationQueue* queue,
               edt::CommunicationQueue::Ticket ticket) asm("__real_" EDT_WAIT);
void wait(edt::CommunicationQueue* queue,
          edt::CommunicationQueue::Ticket ticket) asm("__wrap_" EDT_WAIT);

std::unique_ptr<edt::Backend> make_backend(const edt::DeviceOptions* options,
                                           edt::Communicator& world) {
  auto backend = real_make_backend(options, world);
  if (!edt::test::has_faulty_calls() || !backend->in_host_memory()) return backend;
  static std::vector<std::unique_ptr<edt::Backend>> around;  // to the end of the program
  around.push_back(std::move(backend));
  return edt::make_hooked_backend(*around.back(), std::make_unique<edt::test::SpoilingHook>());
}

edt::data::SampleOrder make_order(const edt::data::Dataset* dataset,
                                  const edt::data::OrderOptions& options) {
  edt::data::OrderOptions other = options;
  if (edt::test::call_goes_wrong("make_order")) ++other.seed;
  return real_make_order(dataset, other);
}

std::unique_ptr<edt::Communicator> world(const edt::MpiSession* session,
                                         const edt::TransportOptions& options) {
  auto ranks = real_world(session, options);
  if (!edt::test::has_faulty_results()) return ranks;
  return edt::test::make_faulty_communicator(std::move(ranks));
}

void wait(edt::CommunicationQueue* queue, edt::CommunicationQueue::Ticket ticket) {
  if (!edt::test::skips_this_wait()) real_wait(queue, ticket);
}
