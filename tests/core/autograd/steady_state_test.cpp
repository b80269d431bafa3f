// After a first step the tape and the arena allocate nothing.
#include <cstdlib>
#include <new>

#include "tests/core/autograd/fixture.h"

namespace {
std::size_t allocations = 0;
}

// Not inlined: the compiler would pair malloc with delete and warn.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace edt {
namespace {

class SteadyState : public TapeTest {
 protected:
  struct Counter final : ParameterOwner {
    void before_read(Parameter&) override {}
    bool is_resident(const Parameter&) const override { return true; }
    void before_write(Parameter&) override {}
    void gradient_final(Parameter&) override { ++fired; }
    int fired = 0;
  };
  SteadyState() { tape.set_parameter_owner(&counter); }

  // Long enough for several chunks of closures and many arena blocks.
  void step() {
    {
      Var x = leaf();
      for (int i = 0; i < 400; ++i) {
        x = identity(tape, scale(tape, x, a));
        if (i % 10 == 0) {
          x = tape.recompute([this, x] { return scale(tape, square(tape, x), b); });
        }
        x = sum(tape, x, scale(tape, x, c));
      }
      Profiler::Scope scope(profiler, "backward");
      tape.backward(x, 0.0);
    }
    tape.clear();
    for (ToyParameter* p : {&a, &b, &c}) p->grad_written = false;
  }

  Counter counter;
};

TEST_F(SteadyState, AllocatesNothing) {
  step();
  const std::size_t before = allocations, reserved = arena.reserved_bytes();
  EXPECT_GT(before, 0u);  // the counter counts
  for (int i = 0; i < 3; ++i) step();
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(arena.reserved_bytes(), reserved);
  EXPECT_EQ(arena.bytes_in_use(), 0u);
  EXPECT_EQ(counter.fired, 4 * 3);
}

}  // namespace
}  // namespace edt
