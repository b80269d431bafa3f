// In which order the emulator runs the threads of a block.
#pragma once

namespace edt::emulation {

enum class Order { kForward, kBackward };
void set_order(Order order);

// Launches a kernel whose first thread waits for the block inside a branch, while the others of its
// warp wait for the warp: the emulator must see it.
void run_missed_barrier();

}  // namespace edt::emulation
