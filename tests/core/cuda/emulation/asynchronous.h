// What sm_90 does behind a thread's back: products of warpgroups, boxes on their way into shared
// memory, and barriers with phases. emulation.h includes it: it stands in for
// warpgroup_instructions.cuh and box_copy.cuh.
//
// Everything happens as late as it may, in the orders that go backward as early. A product reads
// its operands, and changes its accumulators, when it is waited for or when its group is committed;
// a box arrives when no thread can go on without it or as soon as it is asked for. So a wait that
// is missing, or what is used too early, give other values. Products read a memory of their own:
// what boxes bring is there, what threads have written only once they have published it. Fences of
// registers, which would change nothing here, end the program where they are missing.
#pragma once

#include <cuda.h>
#include <vector_types.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace edt::emulation {

struct AsyncProduct {
  float (*c)[4];
  const unsigned* a;   // or null:
  std::uint64_t left;  // an operand in shared memory
  std::uint64_t b;
  int columns;
  bool left_by_columns, by_columns, add;
};

// Of a thread.
struct Asynchronous {
  struct Registers {
    const unsigned char* first;
    std::size_t bytes;
  };
  std::vector<AsyncProduct> products;  // under way
  std::vector<std::size_t> groups;     // how many products each has
  // Since products were waited for: the manual asks for a fence where registers have been used in
  // between.
  std::vector<Registers> fenced;
  std::vector<unsigned> unpublished;  // addresses of what it has put for products
  std::uint64_t asked = 0;            // a digest of all products: warps of a group have the same
};
Asynchronous& asynchronous();  // of the fiber that runs

void ask_for_product(const AsyncProduct& product);
void commit_group();
// But of the last groups.
void finish_products(std::size_t groups_under_way);
// As if all of shared memory had been published.
void show_memory_to_products();

// A block begins: of barriers and what products see nothing is left.
void forget_block(std::size_t shared_bytes);
// The fiber goes on when `holds`.
void wait_until(const std::function<bool()>& holds);
// Does the oldest copy of a box that is under way; false: there is none.
bool deliver_box();
bool boxes_arrive_at_once();

// Makes `map` describe what cuTensorMapEncodeTiled is asked for; false: which its manual forbids.
bool encode_map(CUtensorMap& map, const void* base, const cuuint64_t (&sizes)[2],
                cuuint64_t stride_bytes, const cuuint32_t (&box)[2], CUtensorMapSwizzle swizzle);

}  // namespace edt::emulation

namespace edt {

unsigned shared_address(const void* p);
unsigned char* box_memory();

template <class... Registers>
void fence_registers(Registers&... of_products) {
  auto& fenced = emulation::asynchronous().fenced;
  (fenced.push_back({reinterpret_cast<const unsigned char*>(&of_products), sizeof of_products}),
   ...);
}
inline void commit_products() { emulation::commit_group(); }
template <int kUnderWay = 0, class... Accumulators>
void wait_for_products(Accumulators&...) {
  emulation::finish_products(kUnderWay);
}
template <int N, bool kByColumns>
void multiply_async(float (*c)[4], const unsigned (&a)[4], std::uint64_t b, bool add) {
  static_assert(N == 64 || N == 32 || N == 16);
  emulation::ask_for_product({c, a, 0, b, N, false, kByColumns, add});
}
template <int N, bool kLeftByColumns, bool kRightByColumns>
void multiply_shared_async(float (*c)[4], std::uint64_t a, std::uint64_t b, bool add) {
  static_assert(N == 64);
  emulation::ask_for_product({c, nullptr, a, b, N, kLeftByColumns, kRightByColumns, add});
}
void put_for_products(unsigned address, unsigned value);
void put_for_products(unsigned address, uint2 value);
void publish_stores();

using Barrier = std::uint64_t;
void make_barrier(Barrier* barrier, unsigned arrivals);
void publish_barriers();
void expect_bytes(Barrier* barrier, unsigned bytes);
void wait_for_phase(Barrier* barrier, unsigned parity);
void copy_box(void* to, const CUtensorMap& map, int column, int row, Barrier* barrier);

}  // namespace edt
