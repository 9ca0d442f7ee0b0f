# SPDX-License-Identifier: MIT

# The GNU one whatever the compiler is: LLVM 14's does not know the relocations of a static glibc
# program.
find_program(HOLDFAST_OBJCOPY NAMES objcopy REQUIRED)

# holdfast_bundle_add(NAME TARGET)
#
# Put TARGET's executable, stripped, into the boot bundle under NAME. Exactly one entry is the
# "kernel"; it comes first, the others follow in the order in which they were added.
function(holdfast_bundle_add name target)
	set_property(GLOBAL APPEND PROPERTY HOLDFAST_BUNDLE_NAMES "${name}")
	set_property(GLOBAL PROPERTY "HOLDFAST_BUNDLE_TARGET_${name}" "${target}")
endfunction()

# holdfast_bundle_add_file(NAME FILE)
#
# The same for a file that some command of this build makes; it goes in as it is.
function(holdfast_bundle_add_file name file)
	set_property(GLOBAL APPEND PROPERTY HOLDFAST_BUNDLE_NAMES "${name}")
	set_property(GLOBAL PROPERTY "HOLDFAST_BUNDLE_FILE_${name}" "${file}")
endfunction()

# Called once, after every folder: the target `bundle` writes holdfast.bundle.
function(holdfast_bundle_finish)
	get_property(names GLOBAL PROPERTY HOLDFAST_BUNDLE_NAMES)
	if(NOT "kernel" IN_LIST names)
		return()
	endif()
	list(REMOVE_ITEM names kernel)
	list(PREPEND names kernel)
	set(folder "${CMAKE_BINARY_DIR}/bundle")
	file(MAKE_DIRECTORY "${folder}")
	foreach(name ${names})
		get_property(file GLOBAL PROPERTY "HOLDFAST_BUNDLE_FILE_${name}")
		if(file)
			list(APPEND inputs "${name}=${file}")
			list(APPEND files "${file}")
			continue()
		endif()
		get_property(target GLOBAL PROPERTY "HOLDFAST_BUNDLE_TARGET_${name}")
		add_custom_command(
			OUTPUT "${folder}/${name}"
			COMMAND "${HOLDFAST_OBJCOPY}" --strip-all "$<TARGET_FILE:${target}>" "${folder}/${name}"
			DEPENDS "${target}" "$<TARGET_FILE:${target}>"
			VERBATIM)
		list(APPEND inputs "${name}=${folder}/${name}")
		list(APPEND files "${folder}/${name}")
	endforeach()
	set(output "${CMAKE_BINARY_DIR}/holdfast.bundle")
	add_custom_command(
		OUTPUT "${output}"
		COMMAND mkbundle -o "${output}" ${inputs}
		DEPENDS mkbundle ${files}
		VERBATIM)
	add_custom_target(bundle ALL DEPENDS "${output}")
endfunction()

cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL holdfast_bundle_finish)
