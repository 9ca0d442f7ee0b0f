# SPDX-License-Identifier: MIT
# Every compiler flag, in three interface libraries: what all code gets, what host code gets, what
# kernel code gets.

add_library(holdfast_all_flags INTERFACE)
target_include_directories(holdfast_all_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_options(holdfast_all_flags INTERFACE
	-Wall -Wextra -Werror -Wconversion -Wsign-conversion -Wshadow -Wvla -Wundef
	-Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual
	-Wwrite-strings -Wimplicit-fallthrough -Wformat=2
	-fno-strict-aliasing -fno-common -fno-omit-frame-pointer
	-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	# Its vectoriser takes a store of an integer's bytes apart, before what would make it one
	# instruction sees it; without vector registers there is little else that it could do.
	target_compile_options(holdfast_all_flags INTERFACE -Warith-conversion -Wlogical-op
		-fno-tree-slp-vectorize)
endif()
if(HOLDFAST_PRODUCTION)
	target_compile_definitions(holdfast_all_flags INTERFACE HOLDFAST_PRODUCTION=1)
else()
	target_compile_definitions(holdfast_all_flags INTERFACE HOLDFAST_PRODUCTION=0)
endif()

add_library(holdfast_host_flags INTERFACE)
target_link_libraries(holdfast_host_flags INTERFACE holdfast_all_flags)
target_compile_definitions(holdfast_host_flags INTERFACE HOLDFAST_HOST=1 _GNU_SOURCE)
target_compile_options(holdfast_host_flags INTERFACE -g
	$<IF:$<BOOL:${CMAKE_INTERPROCEDURAL_OPTIMIZATION}>,-O3,-O2>)
if(HOLDFAST_SANITIZE)
	target_compile_options(holdfast_host_flags INTERFACE
		-fsanitize=address,undefined -fno-sanitize-recover=all)
	target_link_options(holdfast_host_flags INTERFACE -fsanitize=address,undefined)
endif()
if(HOLDFAST_COVERAGE)
	target_compile_options(holdfast_host_flags INTERFACE --coverage)
	target_link_options(holdfast_host_flags INTERFACE --coverage)
endif()

# The kernel is a static PIE: stage2 loads it at a random slide and applies its relative
# relocations. Debian's archives keep the stack-protector canary at %fs:0x28, so ours do as well.
add_library(holdfast_kernel_flags INTERFACE)
target_link_libraries(holdfast_kernel_flags INTERFACE holdfast_all_flags)
target_compile_definitions(holdfast_kernel_flags INTERFACE HOLDFAST_HOST=0)
target_compile_options(holdfast_kernel_flags INTERFACE
	-g -O2 -ffreestanding -fpie -fvisibility=hidden -mno-red-zone -mgeneral-regs-only
	-fstack-protector-strong -fcf-protection=none -U_FORTIFY_SOURCE
	-ffunction-sections -fdata-sections)

# Link-time optimisation, for few sources (see holdfast_module). GNU only: clang's needs another
# linker than the one that knows our archives.
add_library(holdfast_hot_flags INTERFACE)
add_library(holdfast_hot_link INTERFACE)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	target_compile_options(holdfast_hot_flags INTERFACE -flto)
	target_link_options(holdfast_hot_link INTERFACE -flto=1 -flto-partition=one -O2)
endif()
