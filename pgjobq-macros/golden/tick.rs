#[allow(clippy::unused_async)]
async fn tick() {}
///The ways to enqueue the job `tick` and to wait for it.
#[allow(
    dead_code,
    deprecated,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    private_interfaces,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
struct tick {}
#[allow(
    dead_code,
    deprecated,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    private_interfaces,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
const _: () = {
    use ::pgjobq::__private as __pgjobq;
    type __Job = tick;
    impl __Job {
        /// The name under which the database stores jobs of this kind.
        pub const KIND: &'static str = "tick";
        ///Makes a `tick` job, which has options and is not enqueued yet.
        pub fn job() -> __pgjobq::NewJob<()> {
            __stored::<()>().0(&__Args {})
        }
        ///Makes a `tick` step of a workflow. Each argument is a value, or comes from another step: its `output()` or `result()`.
        pub fn step() -> __pgjobq::NewStep<()> {
            __pgjobq::NewStep::new(Self::KIND, &__POLICY, [])
        }
        ///Makes a schedule of `tick` jobs with these arguments: from a cron pattern, such as `0 9 * * MON-FRI`, or an interval, such as `every 10m`.
        pub fn schedule(
            text: impl ::core::convert::Into<::std::string::String>,
        ) -> __pgjobq::NewSchedule {
            __pgjobq::NewSchedule::new(text, Self::job())
        }
        ///Returns the handle of the `tick` job with this id.
        #[must_use]
        pub fn handle(
            id: impl ::core::convert::Into<__pgjobq::JobId>,
        ) -> __pgjobq::JobHandle<()> {
            __pgjobq::JobHandle::from_id(
                ::core::convert::Into::into(id),
                Self::KIND,
                &__POLICY,
            )
        }
        ///Enqueues a `tick` job: to `&client`, `&pool`, `&mut *connection` or `&mut *transaction`.
        ///
        /// # Errors
        ///
        /// A mistake in the job, a queue that does not exist, and errors of the database.
        pub async fn enqueue(
            to: impl __pgjobq::Target,
        ) -> ::core::result::Result<__pgjobq::JobHandle<()>, __pgjobq::EnqueueError> {
            Self::job().enqueue(to).await
        }
        ///Enqueues a `tick` job, waits until it ends, and returns its result.
        ///
        /// # Errors
        ///
        /// The errors of the enqueue and of the wait, and an end without a result.
        pub async fn call(
            client: &__pgjobq::Client,
        ) -> ::core::result::Result<(), __pgjobq::CallError> {
            __call::<()>(Self::job(), client).await
        }
        #[doc(hidden)]
        pub const __ARGS: &'static [&'static str] = &[];
        #[doc(hidden)]
        pub fn __args(
            args: &__pgjobq::StoredArgs<'_>,
        ) -> ::core::result::Result<__Args, __pgjobq::JobError> {
            __decode(args)
        }
    }
    #[derive(__pgjobq::serde::Serialize, __pgjobq::serde::Deserialize)]
    #[serde(crate = "__pgjobq::serde")]
    #[doc(hidden)]
    pub struct __Args {}
    type __NewJob<__T, __A> = fn(&__A) -> __pgjobq::NewJob<__T>;
    type __Decode<__A> = fn(
        &__pgjobq::StoredArgs<'_>,
    ) -> ::core::result::Result<__A, __pgjobq::JobError>;
    type __Shape = fn() -> ::std::vec::Vec<__pgjobq::ArgumentShape>;
    fn __stored<__T>() -> (__NewJob<__T, __Args>, __Decode<__Args>, __Shape) {
        (
            |args| __pgjobq::NewJob::new(__Job::KIND, &__POLICY, args),
            |args| args.decode(),
            || ::std::vec![],
        )
    }
    fn __decode(
        stored: &__pgjobq::StoredArgs<'_>,
    ) -> ::core::result::Result<__Args, __pgjobq::JobError> {
        __stored::<()>().1(stored)
    }
    const __POLICY: __pgjobq::Policy = __pgjobq::Policy::DEFAULT;
    async fn __run(
        context: __pgjobq::JobContext,
        args: &__pgjobq::serde_json::value::RawValue,
    ) -> ::core::result::Result<
        ::std::boxed::Box<__pgjobq::serde_json::value::RawValue>,
        __pgjobq::JobError,
    > {
        let args = __decode(&context.stored(args))?;
        __returns::<()>();
        <() as __pgjobq::JobReturn>::encode(tick().await)
    }
    const _: () = {
        use ::std::boxed::Box;
        #[doc(hidden)]
        #[__pgjobq::async_trait]
        impl __pgjobq::Handler for __Job {
            async fn run(
                &self,
                context: __pgjobq::JobContext,
                args: &__pgjobq::serde_json::value::RawValue,
            ) -> ::core::result::Result<
                Box<__pgjobq::serde_json::value::RawValue>,
                __pgjobq::JobError,
            > {
                __run(context, args).await
            }
            fn check(
                &self,
                args: &__pgjobq::StoredArgs<'_>,
            ) -> ::core::result::Result<(), __pgjobq::JobError> {
                __decode(args).map(|_| ())
            }
            fn shape(&self) -> ::std::vec::Vec<__pgjobq::ArgumentShape> {
                __stored::<()>().2()
            }
        }
    };
    __pgjobq::inventory::submit! {
        __pgjobq::JobDescriptor { kind : __Job::KIND, aliases : & [], policy : __POLICY,
        scheduled : ::core::option::Option::None, handler : & __Job {}, batch :
        ::core::option::Option::None, states : & [], module : ::core::module_path!(),
        file : ::core::file!(), line : ::core::line!(), }
    }
    fn __returns<R: __pgjobq::JobReturn<Value = ()>>() {}
    async fn __call<T: __pgjobq::StoredResult>(
        job: __pgjobq::NewJob<T>,
        client: &__pgjobq::Client,
    ) -> ::core::result::Result<T, __pgjobq::CallError> {
        job.call(client).await
    }
};
