// Every kernel through the hook: the same results, and what kernel_outputs.h says is what the
// kernel writes, and all of it.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <string>

#include "core/ops/cases/case_run.h"
#include "core/ops/kernel_list.h"
#include "core/record/hooked_backend.h"
#include "core/record/operand.h"
#include "core/reference/reference_backend.h"

namespace edt {
namespace {

using Bytes = std::vector<std::byte>;

// Of each kernel and operand: whether a call has changed it.
struct Seen {
  std::map<std::string, std::map<std::int64_t, bool>> written;
  std::vector<std::string> changed_though_read;
};

class WatchingHook final : public KernelHook {
 public:
  WatchingHook(Device& device, Seen& seen) : contents_(device), seen_(seen) {}

  bool listens() const override { return true; }
  void call(std::string_view kernel, std::span<const KernelOperand> read,
            std::span<const KernelOperand> written, const KernelRun& run) override {
    const std::vector<Bytes> read_before = all(read), written_before = all(written);
    run();
    const std::vector<Bytes> read_after = all(read), written_after = all(written);
    for (std::size_t i = 0; i < read.size(); ++i) {
      if (read_before[i] == read_after[i] || is_among(read[i], written)) continue;
      seen_.changed_though_read.push_back(std::string(kernel) + " " +
                                          std::to_string(read[i].place));
    }
    for (std::size_t i = 0; i < written.size(); ++i) {
      seen_.written[std::string(kernel)][written[i].place] |= written_before[i] != written_after[i];
    }
  }

 private:
  std::vector<Bytes> all(std::span<const KernelOperand> operands) {
    std::vector<Bytes> copies;
    for (const KernelOperand& one : operands) {
      const HostContent content = contents_.of(one);
      copies.emplace_back(content.bytes.begin(), content.bytes.end());
    }
    return copies;
  }
  // In the same memory, as where a result replaces what it was computed from.
  static bool is_among(const KernelOperand& one, std::span<const KernelOperand> others) {
    const auto* const begin = static_cast<const std::byte*>(one.tensor.data);
    for (const KernelOperand& other : others) {
      const auto* const from = static_cast<const std::byte*>(other.tensor.data);
      if (begin < from + other.tensor.bytes() && from < begin + one.tensor.bytes()) return true;
    }
    return false;
  }

  HostContents contents_;
  Seen& seen_;
};

TEST(HookedBackend, KnowsWhatKernelsWrite) {
  const auto reference = make_reference_backend();
  Seen seen;
  const auto hooked =
      make_hooked_backend(*reference, std::make_unique<WatchingHook>(*reference, seen));
  for (const OpCase& one : test_cases()) run_case(one, *hooked, DType::kFloat32, 1);
  EXPECT_EQ(seen.changed_though_read, std::vector<std::string>());
  for (const auto& [kernel, places] : seen.written) {
    for (const auto& [place, is_changed] : places) {
      EXPECT_TRUE(is_changed) << kernel << " does not write operand " << place;
    }
  }
#define EDT_NAME(family, bound, kernel, ...) #kernel,
  const std::set<std::string> made_as_two{"gate_norm_forward", "gate_norm_backward"};
  for (const std::string kernel : {EDT_KERNELS(EDT_NAME) EDT_COMPOUND_KERNELS(EDT_NAME)}) {
    EXPECT_NE(seen.written.contains(kernel), made_as_two.contains(kernel)) << kernel;
  }
#undef EDT_NAME
}

// What is one op in some modes of recompute and two in others is seen as two.
TEST(HookedBackend, SeesAGateAndItsNormOneByOne) {
  const auto reference = make_reference_backend();
  for (const bool rms : {false, true}) {
    Seen seen;
    const auto hooked =
        make_hooked_backend(*reference, std::make_unique<WatchingHook>(*reference, seen));
    run_case(gate_norm_case({{3, 5, 16}, rms, {3, 4}, false, GateNormShape::Read::kNorm}), *hooked,
             DType::kFloat32, 1);
    const std::string norm = rms ? "modulated_rms_norm" : "modulated_norm";
    std::set<std::string> kernels;
    for (const auto& [kernel, places] : seen.written) kernels.insert(kernel);
    EXPECT_EQ(kernels, (std::set<std::string>{"gate_residual_forward", "gate_residual_backward",
                                              norm + "_forward", norm + "_backward"}));
  }
}

TEST(HookedBackend, ChangesNothing) {
  const auto reference = make_reference_backend();
  Seen seen;
  const auto hooked =
      make_hooked_backend(*reference, std::make_unique<WatchingHook>(*reference, seen));
  for (const OpCase& one : test_cases()) {
    const auto plain = run_case(one, *reference, DType::kFloat32, 2);
    const auto watched = run_case(one, *hooked, DType::kFloat32, 2);
    ASSERT_EQ(plain.size(), watched.size());
    for (std::size_t i = 0; i < plain.size(); ++i) {
      const bool same = plain[i].values.size() == watched[i].values.size() &&
                        std::memcmp(plain[i].values.data(), watched[i].values.data(),
                                    plain[i].values.size() * sizeof(double)) == 0;
      EXPECT_TRUE(same) << one.op << " " << one.shape << ": " << plain[i].name;
    }
  }
}

}  // namespace
}  // namespace edt
