// In which order the emulator runs the threads of a block.
#pragma once

namespace edt::emulation {

// kForward and kBackward: each thread of the block runs to its next barrier or warp-wide
// instruction, then the next one, so that warps stay abreast. The others: a warp runs ahead until
// the block's barrier stops it, the first or the last warp before the others. The warp that arrives
// last goes on behind the barrier to the next one, while the others have not yet seen what the
// first was for.
enum class Order { kForward, kBackward, kWarpsForward, kWarpsBackward };
void set_order(Order order);

// Launches a kernel whose first thread waits for the block inside a branch, while the others of its
// warp wait for the warp: the emulator must see it.
void run_missed_barrier();

// Launches a kernel that may begin before earlier ones have ended. It reads `memory`, where given,
// before it waits for them, and one of its threads does not wait where it should not.
void run_early_kernel(const int* memory, bool waits);

}  // namespace edt::emulation
