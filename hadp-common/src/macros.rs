//! The two macros that declare shared types.

/// Declares `repr(C)` map types: plain old data without padding, of an asserted size.
///
/// `bytemuck::Pod` turns implicit padding into a compile error; `aya::Pod` is implemented for userspace.
macro_rules! map_types {
    ($($(#[$meta:meta])* pub struct $name:ident[$size:literal] { $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        pub struct $name { $($(#[$field_meta])* pub $field: $ty,)* }

        const _: () = assert!(size_of::<$name>() == $size);

        #[cfg(feature = "user")]
        // SAFETY: `bytemuck::Pod` holds: any bit pattern is valid and there is no padding.
        unsafe impl aya::Pod for $name {}
    )*};
}

/// Declares a set of counters twice over: an enum that says which, and the map value that holds them.
///
/// The value is a struct with one `u64` a counter, so that `bpftool map dump` prints every count under its
/// name. The enum's discriminant is the counter's index in the struct.
macro_rules! counters {
    ($(#[$enum_meta:meta])* pub enum $enum:ident; $(#[$struct_meta:meta])* pub struct $struct:ident;
     $($(#[$meta:meta])* $variant:ident = $field:ident,)*) => {
        $(#[$enum_meta])*
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        #[repr(u8)]
        pub enum $enum { $($(#[$meta])* $variant,)* }

        $(#[$struct_meta])*
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        pub struct $struct { $($(#[$meta])* pub $field: u64,)* }

        #[cfg(feature = "user")]
        // SAFETY: `bytemuck::Pod` holds: any bit pattern is valid and there is no padding.
        unsafe impl aya::Pod for $struct {}

        impl $enum {
            /// Every counter, in the order of its index.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the name under which the counter is shown.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($field),)* }
            }

            /// Returns the counter of this index.
            pub fn from_index(index: u8) -> Option<Self> {
                Self::ALL.get(usize::from(index)).copied()
            }
        }

        impl $struct {
            /// Returns the count of one counter.
            pub fn count(&self, which: $enum) -> u64 {
                match which { $($enum::$variant => self.$field,)* }
            }

            /// Adds another set of counts to this one, as when summing over CPUs.
            pub fn add(&mut self, other: &Self) {
                $(self.$field = self.$field.wrapping_add(other.$field);)*
            }
        }
    };
}
pub(crate) use {counters, map_types};
