//! The heartbeat: the thread that sends the packets of BFD sessions, and renews the guards by them.

mod guard;
