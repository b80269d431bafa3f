// The emulated device's memory: as little aligned as CUDA promises, full of NaN when new but for
// the products' workspace, and, when a test asks for it, out of reach of the host's code.
#pragma once

#include <cstddef>

namespace edt::emulation {

// From now on new memory of the device can be touched by its work alone: host code that does ends
// the program by name.
void protect_device_memory();

// nullptr: there is not enough.
void* take_device_memory(std::size_t bytes);
void give_device_memory_back(void* memory);
// Called by AtWork, by one thread at a time, and for it alone where the processor can do that.
void open_device_memory(bool open);

// The same for threads of a kernel that have not waited for earlier ones. Within AtWork, where
// memory is protected.
void open_to_early_threads(bool open);
bool can_close_memory();

// A call of a thread that has not chosen its GPU would be for the first one, and make a context
// there: ends the program.
void require_chosen_gpu(const char* call);

}  // namespace edt::emulation
