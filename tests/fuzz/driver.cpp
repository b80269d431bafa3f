// Runs a fuzz target on mutated seeds: driver [iterations] [first iteration]. A crash, a hang, any
// exception but edt::Error or a huge allocation ends it with the number of the iteration, with
// which it can be repeated alone.
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstring>

#include "core/base/error.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/mutate.h"

namespace edt::fuzz {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // sanitizers need the address space; see max_allocation_size_mb
#else
constexpr bool kSanitized = false;
#endif

char current[64];

void on_crash(int signal) {
  const char* what = signal == SIGALRM ? "hang in iteration " : "crash in iteration ";
  ssize_t written = write(STDERR_FILENO, what, std::strlen(what));
  if (written > 0) written = write(STDERR_FILENO, current, std::strlen(current));
  (void)written;  // there is nobody to tell
  _exit(1);
}

void guard() {
  constexpr rlim_t kAddressSpace = rlim_t{2} << 30;
  if (!kSanitized) {
    const rlimit limit{kAddressSpace, kAddressSpace};
    setrlimit(RLIMIT_AS, &limit);
    for (int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) signal(number, on_crash);
  }
  signal(SIGALRM, on_crash);
}

std::uint64_t argument(int argc, char** argv, int index, std::uint64_t otherwise) {
  if (argc > index) std::from_chars(argv[index], argv[index] + std::strlen(argv[index]), otherwise);
  return otherwise;
}

int run(std::uint64_t iterations, std::uint64_t first) {
  constexpr unsigned kLongestSeconds = 20;
  const std::vector<std::string> valid = seeds();
  std::uint64_t accepted = 0, refused = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t i = first; i < first + iterations; ++i) {
    fmt::format_to_n(current, sizeof(current) - 1, "{}\n", i);
    Dice dice(7, static_cast<std::uint32_t>(i));
    // The seeds themselves come first: they must be accepted, or the mutations would test nothing.
    const bool pristine = i < valid.size();
    const std::string input = pristine ? valid[i] : mutate(valid[dice.below(valid.size())], dice);
    alarm(kLongestSeconds);
    try {
      const int status =
          LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
      ++(status == 0 ? accepted : refused);
      if (pristine && status != 0) throw std::runtime_error("a valid seed is refused");
    } catch (const std::exception& error) {
      fmt::print(stderr, "iteration {}: {}\n", i, error.what());
      return 1;
    }
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  fmt::print("{} inputs in {:.1f} s: {} accepted, {} refused\n", iterations, time.count(), accepted,
             refused);
  return refused > 0 || iterations <= valid.size() ? 0 : 1;
}

}  // namespace
}  // namespace edt::fuzz

int main(int argc, char** argv) {
  edt::fuzz::guard();
  return edt::fuzz::run(edt::fuzz::argument(argc, argv, 1, 1000),
                        edt::fuzz::argument(argc, argv, 2, 0));
}
